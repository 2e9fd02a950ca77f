//! The agent on the simulated runtime, over the in-process API.

#[cfg(test)]
mod agent;
#[cfg(test)]
mod docker;
#[cfg(test)]
mod fixture;
#[cfg(test)]
mod lifecycle;
#[cfg(test)]
mod recovery;
