//! What happened, for people and machines: counts notes and renders them. Measures nothing itself.

pub mod facts;
pub mod health;
pub mod probe;
pub mod status;
pub mod timestamp;
