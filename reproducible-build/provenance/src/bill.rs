//! A CycloneDX 1.6 bill of materials.
//!
//! What ends up in the image has scope `required`: kernel, init, its crates, and the two packages
//! whose code is linked into init. Everything else the lock names made it and is `excluded`.
//!
//! Source: CycloneDX 1.6, `bom-1.6.schema.json`.

use quorate_builder::digest::Sha256;
use quorate_builder::lock::Package;
use serde_json::{Value, json};

use crate::origin::Origin;
use crate::purl;

/// Packages whose code is linked into init: the C library, and Rust's standard library as source.
const LINKED: [&str; 2] = ["musl-dev", "rust-web-src"];

/// The bill of an image.
pub fn bill(origin: &Origin<'_>) -> Value {
    let Origin {
        commit,
        lock,
        expected,
        crates,
        ..
    } = origin;
    let mut components = vec![kernel(origin), init(origin)];
    components.extend(crates.iter().map(|package| {
        json!({
            "type": "library",
            "bom-ref": purl::cargo(package),
            "name": package.name,
            "version": package.version,
            "scope": "required",
            "purl": purl::cargo(package),
            "hashes": [sha256(&package.checksum)],
        })
    }));
    let tools = lock.packages().map(deb);
    components.extend(tools);
    json!({
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": serial(&expected.eif),
        "version": 1,
        "metadata": {
            "component": {
                "type": "operating-system",
                "bom-ref": "quorate.eif",
                "name": "quorate.eif",
                "version": commit,
                "hashes": [sha256(&expected.eif)],
                "properties": [
                    { "name": "quorate:pcr0", "value": expected.pcr0 },
                    { "name": "quorate:pcr1", "value": expected.pcr1 },
                    { "name": "quorate:pcr2", "value": expected.pcr2 },
                    { "name": "quorate:lock", "value": lock.digest().to_string() },
                ],
            },
        },
        "components": components,
        "dependencies": dependencies(origin),
    })
}

fn sha256(digest: &Sha256) -> Value {
    json!({ "alg": "SHA-256", "content": digest.to_string() })
}

/// The same image has the same number: a UUID of version 8 made of its digest (RFC 9562 §5.8).
fn serial(eif: &Sha256) -> String {
    let hex = eif.to_string();
    let part = |from: usize, length: usize| hex.get(from..from.saturating_add(length));
    let parts = [
        part(0, 8),
        part(8, 4),
        part(13, 3),
        part(17, 3),
        part(20, 12),
    ];
    let [a, b, c, d, e] = parts.map(Option::unwrap_or_default);
    format!("urn:uuid:{a}-{b}-8{c}-8{d}-{e}")
}

fn kernel(origin: &Origin<'_>) -> Value {
    let lock = origin.lock;
    let patches = origin.patches.iter().map(|patch| {
        json!({
            "type": "unofficial",
            "diff": { "url": origin.file(&patch.path) },
        })
    });
    json!({
        "type": "operating-system",
        "bom-ref": "kernel",
        "name": "linux",
        "version": lock.kernel.source.version,
        "scope": "required",
        "hashes": [sha256(&origin.expected.kernel)],
        "pedigree": {
            "ancestors": [{
                "type": "operating-system",
                "bom-ref": "kernel-source",
                "name": lock.kernel.source.name,
                "version": lock.kernel.source.version,
                "hashes": [sha256(&lock.kernel.tarball)],
            }],
            "patches": patches.collect::<Vec<_>>(),
        },
    })
}

fn init(origin: &Origin<'_>) -> Value {
    json!({
        "type": "application",
        "bom-ref": "init",
        "name": "quorate-init",
        "version": origin.commit,
        "scope": "required",
        "hashes": [sha256(&origin.expected.init)],
    })
}

fn deb(package: &Package) -> Value {
    let linked = LINKED.contains(&package.name.as_str());
    json!({
        "type": "library",
        "bom-ref": purl::deb(package),
        "name": package.name,
        "version": package.version,
        "scope": if linked { "required" } else { "excluded" },
        "purl": purl::deb(package),
        "hashes": [sha256(&package.sha256)],
    })
}

/// What the image, the kernel and init are made of.
fn dependencies(origin: &Origin<'_>) -> Value {
    let linked = origin
        .lock
        .packages()
        .filter(|package| LINKED.contains(&package.name.as_str()));
    let of_init = origin
        .crates
        .iter()
        .map(purl::cargo)
        .chain(linked.map(purl::deb));
    json!([
        { "ref": "quorate.eif", "dependsOn": ["kernel", "init"] },
        { "ref": "kernel", "dependsOn": [purl::deb(&origin.lock.kernel.source)] },
        { "ref": "init", "dependsOn": of_init.collect::<Vec<_>>() },
    ])
}
