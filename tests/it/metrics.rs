//! Metrics and what is made of them: dashboard, alerts and runbook name what there is, and all of it.

use std::collections::BTreeSet;
use std::path::Path;

use patchproof::chain::EndpointName::{Arc, WhatsOnChain};
use reqwest::Method;
use serde_json::Value;

use crate::support::app::{FULL_KEY, TestApp};
use crate::support::clients::Owner;

/// What Prometheus makes itself.
const OF_PROMETHEUS: [&str; 2] = ["up", "ALERTS"];
/// Words of PromQL that are neither functions nor metrics.
const WORDS: [&str; 11] =
    ["and", "or", "unless", "by", "without", "on", "ignoring", "bool", "offset", "le", "vector"];

fn file(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    std::fs::read_to_string(&path).unwrap_or_else(|error| unreachable!("{path:?}: {error}"))
}

async fn text(app: &TestApp) -> String {
    app.anonymous().get(&["metrics"]).await.text().to_owned()
}

/// Returns the families of a text, each under the name that stands in its description.
fn families(text: &str) -> BTreeSet<String> {
    let named = text.lines().filter_map(|line| line.strip_prefix("# TYPE "));
    named.filter_map(|rest| rest.split(' ').next()).map(str::to_owned).collect()
}

/// Returns the metrics that an expression names.
fn named_in(expression: &str) -> BTreeSet<String> {
    let mut plain = String::new();
    let (mut depth, mut is_text) = (0, false);
    for letter in expression.chars() {
        match letter {
            '"' => is_text = !is_text,
            '{' | '[' if !is_text => depth += 1,
            '}' | ']' if !is_text => depth -= 1,
            _ if depth == 0 && !is_text => plain.push(letter),
            _ => {}
        }
    }
    // What groups by labels names labels.
    for word in ["by (", "without (", "on ("] {
        while let Some(at) = plain.find(word) {
            let end = plain[at..].find(')').map_or(plain.len(), |end| at + end + 1);
            plain.replace_range(at..end, " ");
        }
    }
    let is_of_name = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
    let mut names = BTreeSet::new();
    let mut rest = plain.as_str();
    while let Some(at) = rest.find(|letter: char| letter.is_ascii_alphabetic()) {
        let begin = &rest[at..];
        let end = begin.find(|letter| !is_of_name(letter)).unwrap_or(begin.len());
        let (name, after) = begin.split_at(end);
        if !after.trim_start().starts_with('(') && !WORDS.contains(&name) {
            names.insert(name.to_owned());
        }
        rest = after;
    }
    names
}

/// Returns the family of a sample: a histogram's samples are called after it.
fn family_of<'a>(sample: &'a str, families: &BTreeSet<String>) -> &'a str {
    let parts = ["_bucket", "_sum", "_count"];
    let of_histogram = parts.iter().find_map(|part| sample.strip_suffix(part));
    of_histogram.filter(|name| families.contains(*name)).unwrap_or(sample)
}

/// Returns every expression of the dashboard: of panels, variables and annotations.
fn expressions_of_the_dashboard() -> Vec<String> {
    fn collect(value: &Value, found: &mut Vec<String>) {
        match value {
            Value::Object(members) => {
                let text = members.get("expr").and_then(Value::as_str);
                found.extend(text.map(str::to_owned));
                members.values().for_each(|member| collect(member, found));
            }
            Value::Array(items) => items.iter().for_each(|item| collect(item, found)),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }
    let dashboard: Value =
        serde_json::from_str(&file("packaging/grafana/patchproof.json")).unwrap();
    let mut found = Vec::new();
    collect(&dashboard, &mut found);
    found
}

/// An alert as it stands in the file.
struct Rule {
    name: String,
    expression: String,
    runbook: String,
}

/// Reads the rules; they are written in one shape, which promtool holds to be rules.
fn rules() -> Vec<Rule> {
    let text = file("packaging/prometheus/patchproof.rules.yml");
    let mut rules: Vec<Rule> = Vec::new();
    let mut in_expression = false;
    for line in text.lines() {
        let trimmed = line.trim();
        if let Some(name) = trimmed.strip_prefix("- alert: ") {
            let (name, expression, runbook) = (name.to_owned(), String::new(), String::new());
            rules.push(Rule { name, expression, runbook });
        } else if trimmed == "expr: >-" {
            in_expression = true;
        } else if in_expression && line.starts_with("          ") {
            let expression = &mut rules.last_mut().unwrap().expression;
            expression.push_str(trimmed);
            expression.push(' ');
        } else {
            in_expression = false;
            if let Some(url) = trimmed.strip_prefix("runbook_url: ") {
                url.clone_into(&mut rules.last_mut().unwrap().runbook);
            }
        }
    }
    assert_eq!(rules.len(), text.matches("- alert: ").count());
    assert!(rules.iter().all(|rule| !rule.expression.is_empty()));
    rules
}

#[tokio::test]
async fn dashboard_and_alerts_name_what_there_is_and_the_dashboard_all_of_it() {
    let app = TestApp::through(&[Arc, WhatsOnChain]).await;
    let measured = async || {
        let text = text(&app).await;
        text.contains("endpoint_state{").then_some(text)
    };
    let families = families(&app.until("everything was measured", measured).await);
    let exists =
        |name: &str| OF_PROMETHEUS.contains(&name) || families.contains(family_of(name, &families));
    let mut shown = BTreeSet::new();
    for expression in expressions_of_the_dashboard() {
        let names = named_in(&expression);
        assert!(!names.is_empty(), "{expression} names nothing");
        for name in names {
            assert!(exists(&name), "a panel names {name}, which there is not: {expression}");
            shown.insert(family_of(&name, &families).to_owned());
        }
    }
    for family in &families {
        assert!(shown.contains(family), "no panel shows {family}");
    }
    let document = file("docs/GRAFANA.md");
    for family in &families {
        assert!(document.contains(&format!("`{family}")), "docs/GRAFANA.md does not name {family}");
    }
    for Rule { name, expression, .. } in rules() {
        for metric in named_in(&expression) {
            assert!(exists(&metric), "{name} names {metric}, which there is not");
        }
    }
}

#[test]
fn names_are_found_in_expressions() {
    let found = |expression: &str| named_in(expression).into_iter().collect::<Vec<_>>();
    assert_eq!(found("sum by (le) (rate(a_bucket{b=\"c\",d=~\"e|f\"}[5m])) > 0.25"), ["a_bucket"]);
    assert_eq!(found("x >= 0 and y_total{job=\"p\"} < 7"), ["x", "y_total"]);
    assert_eq!(found("count(ALERTS{a=\"b\"}) or vector(0)"), ["ALERTS"]);
    assert_eq!(found("time() - (z > 0)"), ["z"]);
}

#[test]
fn every_alert_has_its_section_in_the_runbook() {
    let runbook = file("docs/OPERATIONS.md");
    let headings: BTreeSet<&str> =
        runbook.lines().filter_map(|line| line.strip_prefix("### ")).collect();
    let rules = rules();
    for Rule { name, runbook: url, .. } in &rules {
        assert!(headings.contains(name.as_str()), "docs/OPERATIONS.md has no section {name}");
        assert_eq!(url, &format!("docs/OPERATIONS.md#{}", name.to_lowercase()));
    }
    for heading in headings.iter().filter(|heading| heading.starts_with("PatchProof")) {
        assert!(rules.iter().any(|rule| rule.name == *heading), "there is no alert {heading}");
    }
}

#[tokio::test]
async fn what_happens_is_counted() {
    let app = TestApp::through(&[Arc, WhatsOnChain]).await;
    app.api().register("TAG-1", &Owner::number(1)).await;
    let version = env!("CARGO_PKG_VERSION");
    let expected = [
        format!("build_info{{version=\"{version}\",sha=\"unknown\"}} 1"),
        "store_writable 1".to_owned(),
        "disk_free_bytes -1".to_owned(),
        "store_queued_writes 0".to_owned(),
        "dependency_up{dependency=\"signer\"} 1".to_owned(),
        "dependency_up{dependency=\"network\"} 1".to_owned(),
        "dependency_up{dependency=\"pool\"} 1".to_owned(),
        "anchoring_lag_seconds_count 1".to_owned(),
        "anchoring_jobs{stage=\"seen\"} 1".to_owned(),
        "broadcast_total{result=\"conflict\"} 0".to_owned(),
        "limits_refused_total{class=\"public\"} 0".to_owned(),
        "records_failed 0".to_owned(),
    ];
    app.until("everything is measured", async || {
        let text = text(&app).await;
        let has = |line: &String| text.lines().any(|found| found == line);
        expected.iter().all(has).then_some(())
    })
    .await;
    let text = text(&app).await;
    let value = |name: &str| -> f64 {
        let line = text.lines().find(|line| line.split(' ').next() == Some(name));
        line.unwrap().rsplit(' ').next().unwrap().parse().unwrap()
    };
    assert!(value("store_commit_duration_seconds_count") >= 2.0, "{text}");
    assert!(value("store_commit_duration_seconds_count") <= value("store_writes") + 99.0);
    assert!(value("process_resident_memory_bytes") > 1e6);
    assert!(value("process_open_fds") > 3.0);
    assert!(value("header_tip_height") > 0.0);
}

#[tokio::test]
async fn prometheus_presents_its_key_as_it_can() {
    let app = TestApp::with(|settings| settings.http.metrics_require_api_key = true).await;
    let asked = async |token: &str| {
        app.anonymous().call(Method::GET, &["metrics"]).bearer(token).send().await.status
    };
    assert_eq!(app.anonymous().get(&["metrics"]).await.status, 401);
    assert_eq!(app.api().get(&["metrics"]).await.status, 200);
    assert_eq!(asked(FULL_KEY).await, 200);
    assert_eq!(asked("metrics:read").await, 200);
    assert_eq!(asked("patches:write").await, 403);
    assert_eq!(asked("nobody's").await, 401);
}
