//! The way to the network as the product is given it, beside its three ports.

use std::sync::Arc;

use crate::chain::{EndpointBoard, NetworkPolicy, PolicySource};
use crate::service::callback::CallbackToken;

/// What the network's edge offers beside sending, tracking and listing. The default offers nothing:
/// one endpoint, no policy, no reports.
#[derive(Clone, Default)]
pub struct NetworkSide {
    /// Publishes the fee policy.
    pub policy_source: Option<Arc<dyn PolicySource>>,
    /// The fee policy as last heard; what is paid without it is FEE_PER_KB.
    pub policy: NetworkPolicy,
    /// How the endpoints are.
    pub endpoints: EndpointBoard,
    /// What the network presents with its reports.
    pub callback_token: Option<CallbackToken>,
}
