//! Spans of requests at a collector: a server of this test that reads what is really sent.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, TcpListener};
use std::sync::mpsc::{Receiver, channel};

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;

use crate::program::{ask, run};
use crate::world::World;

/// Takes every export, and answers it with an empty message.
fn collector() -> (String, Receiver<ExportTraceServiceRequest>) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let (sender, received) = channel();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let mut stream = BufReader::new(stream);
            let mut head = String::new();
            while stream.read_line(&mut head).is_ok_and(|length| length > 2) {}
            if head.is_empty() {
                continue;
            }
            assert!(head.starts_with("POST /v1/traces "), "{head}");
            let lower = head.to_lowercase();
            assert!(lower.contains("content-type: application/x-protobuf"), "{head}");
            let length = lower.lines().find_map(|line| line.strip_prefix("content-length:"));
            let mut body = vec![0; length.unwrap().trim().parse().unwrap()];
            stream.read_exact(&mut body).unwrap();
            sender.send(ExportTraceServiceRequest::decode(&body[..]).unwrap()).unwrap();
            let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
            stream.get_mut().write_all(answer).unwrap();
        }
    });
    (address, received)
}

fn attribute(span: &Span, name: &str) -> Option<String> {
    let found = span.attributes.iter().find(|one| one.key == name)?.value.clone()?;
    let value = found.value?;
    if let Value::IntValue(number) = value {
        return Some(number.to_string());
    }
    if let Value::StringValue(text) = value { Some(text) } else { None }
}

#[test]
fn a_span_of_each_request_comes_to_the_collector_under_its_senders_span() {
    let (address, received) = collector();
    let world = World::start();
    let server = world.serve_with(&[("OTEL_EXPORTER_OTLP_ENDPOINT", &address)]);
    let url = server.url.strip_prefix("listening on ").unwrap().trim_end_matches('/').to_owned();
    let (trace, parent) = ("4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7");
    let head = |flags: &str, id: &str| {
        format!("traceparent: 00-{trace}-{parent}-{flags}\r\nx-request-id: {id}\r\n")
    };
    let verify = "/v1/patches/verify/canary-uid?canary=query";
    assert_eq!(ask(&url, "GET", verify, &head("01", "request-sampled"), "").0, 404);
    assert_eq!(ask(&url, "GET", "/health", &head("00", "request-unsampled"), "").0, 200);
    assert_eq!(ask(&url, "GET", "/health", "x-request-id: request-alone\r\n", "").0, 200);
    assert!(server.stop().success(), "what is left is sent before the end");

    let exports: Vec<ExportTraceServiceRequest> = received.try_iter().collect();
    let resources = exports.iter().flat_map(|export| &export.resource_spans);
    let spans: Vec<&Span> = resources
        .flat_map(|resource| &resource.scope_spans)
        .flat_map(|scope| &scope.spans)
        .collect();
    let of = |id: &str| {
        let id = Some(id.to_owned());
        spans.iter().find(|span| attribute(span, "patchproof.request_id") == id).copied()
    };
    let sampled = of("request-sampled").unwrap();
    assert_eq!(hex::encode(&sampled.trace_id), trace);
    assert_eq!(hex::encode(&sampled.parent_span_id), parent);
    assert_eq!(sampled.name, "GET /v1/patches/verify/{uid_tag_id}");
    assert_eq!(attribute(sampled, "http.response.status_code").as_deref(), Some("404"));
    assert!(sampled.end_time_unix_nano >= sampled.start_time_unix_nano);
    assert_eq!(of("request-unsampled"), None);
    let alone = of("request-alone").unwrap();
    assert!(alone.parent_span_id.is_empty() && alone.trace_id.len() == 16);
    assert!(!format!("{spans:?}").contains("canary"), "{spans:?}");
}

#[test]
fn a_collector_that_is_away_costs_nothing_but_spans() {
    let world = World::start();
    let nowhere = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1");
    let server = world.serve_with(&[nowhere]);
    let url = server.url.strip_prefix("listening on ").unwrap().trim_end_matches('/').to_owned();
    assert_eq!(ask(&url, "GET", "/health", "", "").0, 200);
    assert!(server.stop().success());
    let wrong = [("OTEL_EXPORTER_OTLP_ENDPOINT", "grpc://collector")];
    let refused = world
        .with_environment(|variables| run(&["config", "check"], &[variables, &wrong].concat()));
    assert!(format!("{refused:?}").contains("OTEL_EXPORTER_OTLP_ENDPOINT"), "{refused:?}");
}
