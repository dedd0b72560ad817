//! The composition root: puts the parts of the product together and runs them.

pub mod accept;
pub mod logging;
pub mod ports;
pub mod shutdown;
pub mod socket;
