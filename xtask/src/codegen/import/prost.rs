//! Field numbers from the attributes of `prost` structs.
//!
//! Invariant: reads attributes and the declaration that follows, nothing else.

use std::fs;
use std::path::Path;

use anyhow::Result;

use super::message::{Member, Messages};

/// Reads every module below a directory.
pub(crate) fn read(root: &Path) -> Result<Messages> {
    let mut out = Messages::new();
    let mut queue = vec![root.to_owned()];
    while let Some(dir) = queue.pop() {
        for entry in fs::read_dir(&dir)? {
            let path = entry?.path();
            if path.is_dir() {
                queue.push(path);
            } else if path.file_name().is_some_and(|name| name == "mod.rs") {
                let module: Vec<String> = dir
                    .strip_prefix(root)?
                    .components()
                    .map(|part| part.as_os_str().to_string_lossy().into_owned())
                    .collect();
                read_file(&mut out, &module, &fs::read_to_string(&path)?);
            }
        }
    }
    Ok(out)
}

fn read_file(out: &mut Messages, module: &[String], text: &str) {
    let mut current: Option<String> = None;
    let mut tag: Option<u32> = None;
    let mut declaration = String::new();
    for line in text.lines().map(str::trim) {
        if let Some(name) = line.strip_prefix("pub struct ").and_then(|l| l.strip_suffix(" {")) {
            let name = format!("{}.{name}", package(module));
            out.insert(name.clone(), Vec::new());
            current = Some(name);
        } else if line == "}" {
            current = None;
        } else if let Some(attribute) = line.strip_prefix("#[prost(") {
            tag = attribute
                .split_once("tag = \"")
                .and_then(|(_, rest)| rest.split_once('"')?.0.parse().ok());
            declaration.clear();
        } else if let Some(number) = tag
            && let Some(name) = &current
        {
            declaration.push_str(line);
            if line.ends_with(',') && declaration.contains(": ") || line.ends_with(">,") {
                if let Some(member) = member(module, &declaration, number)
                    && let Some(members) = out.get_mut(name)
                {
                    members.push(member);
                }
                tag = None;
            }
        }
    }
}

fn member(module: &[String], declaration: &str, tag: u32) -> Option<Member> {
    let (name, of) = declaration.strip_prefix("pub ")?.split_once(':')?;
    let inner = of.trim().trim_end_matches(',').rsplit('<').next()?.trim_end_matches('>');
    Some(Member { name: name.to_owned(), tag, of: Some(resolve(module, inner)) })
}

/// Follows `super::super::core::v1::PodSpec` from a module.
fn resolve(module: &[String], path: &str) -> String {
    let mut at = module.to_vec();
    for part in path.split("::") {
        match part {
            "super" => drop(at.pop()),
            part => at.push(part.to_owned()),
        }
    }
    let short = at.pop().unwrap_or_default();
    format!("{}.{short}", package(&at))
}

fn package(module: &[String]) -> String {
    let joined = module.join(".");
    format!("io.k8s.{}", joined.replace("apiextensions_apiserver", "apiextensions-apiserver"))
        .replace("kube_aggregator", "kube-aggregator")
}
