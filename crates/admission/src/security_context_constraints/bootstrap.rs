//! The constraints of a new cluster.
//!
//! Mirrors: `openshift/origin:pkg/cmd/server/bootstrappolicy/securitycontextconstraints.go`.

use apimachinery::Value;
use apimachinery::json;

const DROP_ALL: &[&str] = &["KILL", "MKNOD", "SETUID", "SETGID"];
const DROP_MKNOD: &[&str] = &["MKNOD"];
const BUILD_CONTROLLER: &str = "system:serviceaccount:openshift-infra:build-controller";
const RECYCLER: &str = "system:serviceaccount:openshift-infra:pv-recycler-controller";

/// How a constraint differs from others.
struct Shape {
    name: &'static str,
    description: &'static str,
    /// Host directories, IPC, network, PID and ports, in this order.
    host: [bool; 5],
    run_as_user: &'static str,
    fs_group: &'static str,
    supplemental_groups: &'static str,
    drop: &'static [&'static str],
    more_volumes: &'static [&'static str],
    users: &'static [&'static str],
    groups: &'static [&'static str],
}

const PLAIN: Shape = Shape {
    name: "restricted",
    description: "restricted denies access to all host features and requires pods to be run with a \
                  UID, and SELinux context that are allocated to the namespace.  This is the most \
                  restrictive SCC and it is used by default for authenticated users.",
    host: [false; 5],
    run_as_user: "MustRunAsRange",
    fs_group: "MustRunAs",
    supplemental_groups: "RunAsAny",
    drop: DROP_ALL,
    more_volumes: &[],
    users: &[],
    groups: &["system:authenticated"],
};

const SHAPES: [Shape; 6] = [
    PLAIN,
    Shape {
        name: "anyuid",
        description: "anyuid provides all features of the restricted SCC but allows users to run \
                      with any UID and any GID.",
        run_as_user: "RunAsAny",
        fs_group: "RunAsAny",
        drop: DROP_MKNOD,
        groups: &["system:cluster-admins"],
        ..PLAIN
    },
    Shape {
        name: "nonroot",
        description: "nonroot provides all features of the restricted SCC but allows users to run \
                      with any non-root UID.  The user must specify the UID or it must be specified \
                      on the by the manifest of the container runtime.",
        run_as_user: "MustRunAsNonRoot",
        fs_group: "RunAsAny",
        groups: &[],
        ..PLAIN
    },
    Shape {
        name: "hostaccess",
        description: "hostaccess allows access to all host namespaces but still requires pods to be \
                      run with a UID and SELinux context that are allocated to the namespace. \
                      WARNING: this SCC allows host access to namespaces, file systems, and PIDS.  \
                      It should only be used by trusted pods.  Grant with caution.",
        host: [true; 5],
        more_volumes: &["hostPath"],
        groups: &[],
        ..PLAIN
    },
    Shape {
        name: "hostmount-anyuid",
        description: "hostmount-anyuid provides all the features of the restricted SCC but allows \
                      host mounts and any UID by a pod.  This is primarily used by the persistent \
                      volume recycler. WARNING: this SCC allows host file system access as any UID, \
                      including UID 0.  Grant with caution.",
        host: [true, false, false, false, false],
        run_as_user: "RunAsAny",
        fs_group: "RunAsAny",
        drop: DROP_MKNOD,
        more_volumes: &["hostPath", "nfs"],
        users: &[RECYCLER],
        groups: &[],
        ..PLAIN
    },
    Shape {
        name: "hostnetwork",
        description: "hostnetwork allows using host networking and host ports but still requires \
                      pods to be run with a UID and SELinux context that are allocated to the \
                      namespace.",
        host: [false, false, true, false, true],
        supplemental_groups: "MustRunAs",
        groups: &[],
        ..PLAIN
    },
];

/// All constraints of a new cluster.
#[must_use]
pub fn constraints() -> Vec<Value> {
    SHAPES.iter().map(constraint).chain([privileged()]).collect()
}

fn constraint(shape: &Shape) -> Value {
    let [dirs, ipc, network, pid, ports] = shape.host;
    let common =
        ["configMap", "downwardAPI", "emptyDir", "persistentVolumeClaim", "projected", "secret"];
    let mut volumes: Vec<&str> = common.iter().chain(shape.more_volumes).copied().collect();
    volumes.sort_unstable();
    let priority = if shape.name == "anyuid" { json!(10) } else { Value::Null };
    json!({
        "metadata": {
            "name": shape.name,
            "annotations": {"kubernetes.io/description": shape.description},
        },
        "priority": priority,
        "allowHostDirVolumePlugin": dirs,
        "allowHostIPC": ipc,
        "allowHostNetwork": network,
        "allowHostPID": pid,
        "allowHostPorts": ports,
        "allowPrivilegeEscalation": true,
        "allowPrivilegedContainer": false,
        "allowedCapabilities": null,
        "defaultAddCapabilities": null,
        "requiredDropCapabilities": shape.drop,
        "readOnlyRootFilesystem": false,
        "runAsUser": {"type": shape.run_as_user},
        "seLinuxContext": {"type": "MustRunAs"},
        "fsGroup": {"type": shape.fs_group},
        "supplementalGroups": {"type": shape.supplemental_groups},
        "volumes": volumes,
        "users": shape.users,
        "groups": shape.groups,
    })
}

fn privileged() -> Value {
    let description = "privileged allows access to all privileged and host features and the ability \
                       to run as any user, any group, any fsGroup, and with any SELinux context.  \
                       WARNING: this is the most relaxed SCC and should be used only for cluster \
                       administration. Grant with caution.";
    let any = json!({"type": "RunAsAny"});
    json!({
        "metadata": {
            "name": "privileged",
            "annotations": {"kubernetes.io/description": description},
        },
        "priority": null,
        "allowHostDirVolumePlugin": true,
        "allowHostIPC": true,
        "allowHostNetwork": true,
        "allowHostPID": true,
        "allowHostPorts": true,
        "allowPrivilegeEscalation": true,
        "allowPrivilegedContainer": true,
        "allowedCapabilities": ["*"],
        "allowedUnsafeSysctls": ["*"],
        "defaultAddCapabilities": null,
        "requiredDropCapabilities": null,
        "readOnlyRootFilesystem": false,
        "runAsUser": any,
        "seLinuxContext": any,
        "fsGroup": any,
        "supplementalGroups": any,
        "seccompProfiles": ["*"],
        "volumes": ["*"],
        "users": ["system:admin", BUILD_CONTROLLER],
        "groups": ["system:cluster-admins", "system:nodes", "system:masters"],
    })
}
