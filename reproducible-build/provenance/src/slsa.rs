//! SLSA provenance v1 in an in-toto Statement v1.
//!
//! Sources: in-toto attestation framework, `spec/v1/statement.md`; SLSA 1.0, `provenance/v1`.

use serde_json::{Value, json};

use crate::origin::Origin;
use crate::purl;

/// What kind of build this is: how to read `externalParameters`. `reproducible-build/README.md` has
/// the definition under this name.
const BUILD_TYPE: &str =
    "https://github.com/quorate/quorate/blob/main/reproducible-build/README.md#build-type-v1";

/// The statement about an image built by `builder`, a URI that names whoever ran the build.
pub fn statement(origin: &Origin<'_>, builder: &str) -> Value {
    let Origin {
        repository,
        commit,
        lock,
        expected,
        crates,
        patches,
    } = origin;
    let source = json!({
        "uri": format!("git+{repository}"),
        "digest": { "gitCommit": commit },
    });
    let mut inputs = vec![
        json!({
            "name": "source",
            "uri": source.get("uri"),
            "digest": source.get("digest"),
        }),
        json!({
            "name": "images/lock.toml, its inputs",
            "uri": origin.file("images/lock.toml"),
            "digest": { "sha256": lock.digest().to_string() },
        }),
    ];
    inputs.extend(lock.packages().map(|package| {
        json!({
            "name": package.name,
            "uri": purl::deb(package),
            "digest": { "sha256": package.sha256.to_string() },
            "annotations": { "archive": package.archive, "path": package.path },
        })
    }));
    inputs.push(json!({
        "name": "the kernel's source in its package",
        "uri": purl::deb(&lock.kernel.source),
        "digest": { "sha256": lock.kernel.tarball.to_string() },
    }));
    inputs.extend(patches.iter().map(|patch| {
        json!({
            "name": patch.path,
            "uri": origin.file(&patch.path),
            "digest": { "sha256": patch.sha256.to_string() },
        })
    }));
    inputs.extend(crates.iter().map(|package| {
        json!({
            "name": package.name,
            "uri": purl::cargo(package),
            "digest": { "sha256": package.checksum.to_string() },
        })
    }));
    let stages = [
        ("build root", expected.root),
        ("kernel configuration", expected.config),
        ("kernel", expected.kernel),
        ("init", expected.init),
        ("ramdisk 0", expected.ramdisk0),
    ];
    let stages = stages
        .into_iter()
        .chain(expected.ramdisk1.map(|digest| ("ramdisk 1", digest)));
    let byproducts: Vec<_> = stages
        .map(|(name, digest)| json!({ "name": name, "digest": { "sha256": digest.to_string() } }))
        .collect();
    json!({
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{
            "name": "quorate.eif",
            "digest": { "sha256": expected.eif.to_string() },
            "annotations": {
                "pcr0": expected.pcr0,
                "pcr1": expected.pcr1,
                "pcr2": expected.pcr2,
            },
        }],
        "predicateType": "https://slsa.dev/provenance/v1",
        "predicate": {
            "buildDefinition": {
                "buildType": BUILD_TYPE,
                "externalParameters": { "source": source },
                "internalParameters": {},
                "resolvedDependencies": inputs,
            },
            "runDetails": {
                "builder": { "id": builder },
                "byproducts": byproducts,
            },
        },
    })
}
