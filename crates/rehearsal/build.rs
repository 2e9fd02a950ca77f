//! Compiles `programs/web.rs` to a static program that needs nothing but a Linux kernel, so that
//! images can be made `FROM scratch` without any tool on the user's machine.
//!
//! Invariant: a host that cannot build it (not Linux, no linker) gets an empty file, and the program
//! says so when the image is asked for.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

fn main() {
    println!("cargo::rerun-if-changed=programs/web.rs");
    println!("cargo::rerun-if-changed=build.rs");
    let out = PathBuf::from(variable("OUT_DIR")).join("web");
    if !build(&out) {
        println!("cargo::warning=the built-in web server cannot be built for this target");
        fs::write(&out, []).expect("OUT_DIR can be written");
    }
}

#[expect(clippy::disallowed_methods, reason = "cargo talks to build scripts by the environment")]
fn variable(name: &str) -> String {
    env::var(name).unwrap_or_default()
}

fn build(out: &Path) -> bool {
    let supported = matches!(variable("CARGO_CFG_TARGET_ARCH").as_str(), "x86_64" | "aarch64");
    if variable("CARGO_CFG_TARGET_OS") != "linux" || !supported {
        return false;
    }
    let linking =
        ["-nostartfiles", "-nostdlib", "-static", "-Wl,--build-id=none", "-Wl,-z,norelro"];
    let mut command = Command::new(variable("RUSTC"));
    command
        .args(["--edition", "2024", "--crate-type", "bin", "--crate-name", "web"])
        .args(["--target", &variable("TARGET")])
        .args(["-C", "panic=abort", "-C", "opt-level=s", "-C", "strip=symbols"])
        .args(["-C", "relocation-model=static", "-C", "target-feature=+crt-static"])
        .args(linking.iter().flat_map(|argument| ["-C".to_owned(), format!("link-arg={argument}")]))
        .arg("-o")
        .arg(out)
        .arg("programs/web.rs");
    command.status().is_ok_and(|status| status.success())
}
