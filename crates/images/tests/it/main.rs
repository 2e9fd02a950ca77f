//! The controllers of image streams on a whole loop.

mod moves;
mod tags;
