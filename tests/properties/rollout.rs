//! Deployments: what the judge says, how often it errs, and what a crash may leave behind.

mod judge;
mod phases;
mod shares;
mod simulation;
