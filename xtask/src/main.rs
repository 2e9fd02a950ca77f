//! The chores of the workspace: `cargo xtask <chore>`.
//!
//! One file per chore; this one only dispatches.
#![expect(clippy::print_stdout, reason = "chores talk to the person who runs them")]

mod bench;
mod chaos;
mod ci;
mod codegen;
mod fuzz;
mod images;
mod seeds;
mod tidy;

use std::path::{Path, PathBuf};

use anyhow::Result;
use clap::Parser;

#[derive(Debug, Parser)]
#[command(name = "xtask", about = "The chores of the workspace")]
enum Chore {
    /// Measures what the project promises.
    Bench(bench::Bench),
    /// Kills components of clusters at random, under thousands of seeds.
    Chaos(chaos::Chaos),
    /// Runs everything that continuous integration runs.
    Ci,
    /// Makes the schema table from the facts.
    Codegen(codegen::Codegen),
    /// Throws broken input at every parser.
    Fuzz(fuzz::Fuzz),
    /// Makes a rehearsal's images on the local Docker engine.
    Images {
        /// Directory of the rehearsal.
        #[arg(default_value = "fixtures/rehearsals/hello-promotion")]
        directory: String,
    },
    /// Runs a rehearsal under thousands of seeds.
    Seeds(seeds::Seeds),
    /// Checks layers, sizes, heads, orphans and words.
    Tidy,
}

fn main() -> Result<()> {
    let root = workspace_root();
    match Chore::parse() {
        Chore::Bench(arguments) => bench::run(&root, &arguments),
        Chore::Chaos(arguments) => chaos::run(&root, &arguments),
        Chore::Ci => ci::run(&root),
        Chore::Codegen(arguments) => codegen::run(&root, &arguments),
        Chore::Fuzz(arguments) => fuzz::run(&root, &arguments),
        Chore::Images { directory } => images::run(&root, &directory),
        Chore::Seeds(arguments) => seeds::run(&root, &arguments),
        Chore::Tidy => tidy::run(&root),
    }
}

fn workspace_root() -> PathBuf {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    manifest.parent().map(Path::to_owned).unwrap_or_default()
}
