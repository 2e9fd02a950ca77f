//! What happens on a virtual clock, in process: one file per topic.

mod autoscaling;
mod availability;
mod custom_strategy;
mod death;
mod deployments;
mod failure;
mod promotion;
mod quiet;
mod recorded;
mod rollout;
mod scheduling;
mod workloads;
