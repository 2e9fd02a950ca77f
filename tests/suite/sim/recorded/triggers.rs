//! `oc set triggers`.
//!
//! Invariant: as in [`oc`](super::oc); what is written has no memory of the image triggered last.

use apimachinery::json;
use apimachinery::{ObjectExt as _, Value};

use super::oc::{Oc, Printed, Target, refused};

const ANNOTATION: &str = "image.openshift.io/triggers";

/// A trigger on a change of an image, of a config or by the annotation.
#[derive(Debug)]
struct ImageTrigger {
    from: Value,
    containers: Vec<String>,
    automatic: bool,
}

impl Oc<'_> {
    fn triggers(&self, target: &Target) -> Result<(bool, Vec<ImageTrigger>), String> {
        let object = self.client.get(target.resource, &self.project, &target.name);
        let object = object.map_err(|status| refused(&status))?;
        if !target.is_config() {
            let written = object.annotation(ANNOTATION).unwrap_or("[]");
            let written: Value = serde_json::from_str(written).unwrap();
            let triggers = written.as_array().unwrap().iter().map(|trigger| {
                let path = trigger.str_at(&["fieldPath"]);
                let container = path.split('"').nth(1).unwrap_or_default().to_owned();
                let automatic = !trigger.bool_at(&["paused"]);
                ImageTrigger {
                    from: trigger["from"].clone(),
                    containers: vec![container],
                    automatic,
                }
            });
            return Ok((!object.bool_at(&["spec", "paused"]), triggers.collect()));
        }
        let written = object.list_at(&["spec", "triggers"]);
        let config = written.iter().any(|trigger| trigger["type"] == "ConfigChange");
        let images = written.iter().filter_map(|trigger| trigger.at(&["imageChangeParams"]));
        let images = images.map(|image| ImageTrigger {
            from: image["from"].clone(),
            containers: json::from_value(image["containerNames"].clone()).unwrap(),
            automatic: image.bool_at(&["automatic"]),
        });
        Ok((config, images.collect()))
    }

    pub(super) fn list_triggers(&self, target: &Target) -> Printed {
        let (config, images) = self.triggers(target)?;
        let plural = if target.is_config() { "deploymentconfigs" } else { "deployments" };
        let place = format!("{plural}/{}", target.name);
        let mut rows = vec![
            ["NAME", "TYPE", "VALUE", "AUTO"].map(str::to_owned),
            [place.clone(), "config".to_owned(), String::new(), config.to_string()],
        ];
        for image in images {
            let from = image.from.str_at(&["name"]);
            let value = format!("{from} ({})", image.containers.join(", "));
            rows.push([place.clone(), "image".to_owned(), value, image.automatic.to_string()]);
        }
        let widths: Vec<usize> = (0..3)
            .map(|column| rows.iter().map(|row| row[column].len()).max().unwrap_or(0) + 2)
            .collect();
        let line = |row: &[String; 4]| {
            let padded: Vec<String> = row[..3]
                .iter()
                .zip(&widths)
                .map(|(cell, width)| format!("{cell:<width$}"))
                .collect();
            format!("{}{}", padded.concat(), row[3])
        };
        Ok(rows.iter().map(line).collect::<Vec<_>>().join("\n"))
    }

    pub(super) fn set_triggers(&self, target: &Target, words: &[&str]) -> Printed {
        let (mut config, mut images) = self.triggers(target)?;
        match words {
            ["--manual" | "--auto"] => {
                config = words[0] == "--auto";
                images.iter_mut().for_each(|image| image.automatic = config);
            }
            [from, "-c", container] => images.push(ImageTrigger {
                from: json!({"kind": "ImageStreamTag",
                    "name": from.strip_prefix("--from-image=").unwrap()}),
                containers: vec![(*container).to_owned()],
                automatic: true,
            }),
            _ => panic!("{words:?}"),
        }
        let patch = if target.is_config() {
            json!({"spec": {"triggers": on_config(config, &images)}})
        } else {
            let paused = if config { Value::Null } else { json!(true) };
            let annotation = by_annotation(&images);
            json!({"metadata": {"annotations": {ANNOTATION: annotation}}, "spec": {"paused": paused}})
        };
        self.patch(target, patch, "triggers updated")
    }
}

fn on_config(config: bool, images: &[ImageTrigger]) -> Value {
    let mut triggers = Vec::new();
    if config {
        triggers.push(json!({"type": "ConfigChange"}));
    }
    for image in images {
        let mut params = json!({"containerNames": image.containers, "from": image.from});
        if image.automatic {
            params["automatic"] = json!(true);
        }
        triggers.push(json!({"type": "ImageChange", "imageChangeParams": params}));
    }
    Value::from(triggers)
}

/// The text as `oc` writes it: `from` before `fieldPath`, kind before name.
fn by_annotation(images: &[ImageTrigger]) -> String {
    let entries = images.iter().map(|image| {
        let name = image.from.str_at(&["name"]);
        let path = format!(
            "spec.template.spec.containers[?(@.name==\\\"{}\\\")].image",
            image.containers[0]
        );
        let paused = if image.automatic { "" } else { ",\"paused\":true" };
        format!(
            "{{\"from\":{{\"kind\":\"ImageStreamTag\",\"name\":\"{name}\"}},\
             \"fieldPath\":\"{path}\"{paused}}}"
        )
    });
    format!("[{}]", entries.collect::<Vec<_>>().join(","))
}
