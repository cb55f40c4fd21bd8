//! What happened, for people and machines: counts notes and renders them. Measures nothing itself.

pub mod status;
