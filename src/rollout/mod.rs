//! What a deployment may do next, and why: gates, their verdict, and the phases that they stand between.
//!
//! A deployment shows something new to a growing share of the traffic. [`judge`] compares what was counted of that share with
//! what was counted before, or beside it, and says to go on, to go back, or that it cannot tell, which never goes on.

pub mod deployment;
pub mod event;
pub mod flag_shares;
pub mod judge;
pub mod kept;
pub mod phases;
pub mod plan;
pub mod sample;
pub mod statistics;

pub use judge::{Finding, Gate, Judgement, Thresholds, Verdict, judge};
pub use sample::{Latencies, Pool, Sample};
