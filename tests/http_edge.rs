//! The HTTP edge over real sockets: what a client may send and what it gets back.
//!
//! Every test owns its server and its limits; waiting is always for something the server does.

#[cfg(test)]
#[path = "http_edge/authority.rs"]
mod authority;
#[cfg(test)]
#[path = "http_edge/client.rs"]
mod client;
#[cfg(test)]
#[path = "http_edge/connections.rs"]
mod connections;
#[cfg(test)]
#[path = "http_edge/console.rs"]
mod console;
#[cfg(test)]
#[path = "http_edge/control.rs"]
mod control;
#[cfg(test)]
#[path = "http_edge/credentials.rs"]
mod credentials;
#[cfg(test)]
#[path = "http_edge/documentation.rs"]
mod documentation;
#[cfg(test)]
#[path = "http_edge/fuzz.rs"]
mod fuzz;
#[cfg(test)]
#[path = "http_edge/fuzz_requests.rs"]
mod fuzz_requests;
#[cfg(test)]
#[path = "http_edge/messages.rs"]
mod messages;
#[cfg(test)]
#[path = "http_edge/random.rs"]
mod random;
#[cfg(test)]
#[path = "http_edge/routes.rs"]
mod routes;
#[cfg(test)]
#[path = "http_edge/support.rs"]
mod support;
#[cfg(test)]
#[path = "http_edge/tls.rs"]
mod tls;
