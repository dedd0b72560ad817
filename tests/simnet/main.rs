//! The simulated network over real HTTP.

mod arc;
mod controls;
mod explorer;
mod faults;
mod served;
