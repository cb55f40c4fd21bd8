//! What happened, for people and machines: counts notes and renders them. Measures nothing itself.

pub mod health;
pub mod probe;
pub mod status;
pub mod timestamp;
