//! The composition root: puts the parts of the product together and runs them.

pub mod accept;
