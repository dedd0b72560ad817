//! The simulated network over real HTTP.

mod controls;
mod explorer;
mod faults;
mod served;
