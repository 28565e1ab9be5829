//! The shapes that genuine documents have had, each accepted, and each refused for the defects that
//! matter most: what holds for one shape must hold for all.

use quorate_verify::attestation::AttestationError;

use crate::case::{Case, Demand};
use crate::common::cbor::Cbor;
use crate::common::nitro::{
    INSTANCE, LEAF, REGIONAL, ROOT, Recipe, ZONAL, extend_zero, name, oids, other_s, p384_key_info,
    public_key, signing_key,
};
use crate::common::profiles;

/// A name and what makes the shape.
type Shape = (&'static str, fn() -> Recipe);

const SHAPES: &[Shape] = &[
    ("2021", profiles::of_2021),
    ("2021-tagged", || Recipe {
        edit_bytes: tag,
        ..profiles::of_2021()
    }),
    ("2021-high-s", || Recipe {
        edit_signature: |signature| other_s(&signature.normalize_s()).to_bytes().to_vec(),
        ..profiles::of_2021()
    }),
    ("2021-empty-user-data", || Recipe {
        user_data: Some(Vec::new()),
        ..profiles::of_2021()
    }),
    ("2021-all-null", || Recipe {
        public_key: None,
        user_data: None,
        nonce: None,
        ..profiles::of_2021()
    }),
    ("2025-indefinite-17-registers", profiles::of_2025),
    ("2025-indefinite-32-registers-tagged", || Recipe {
        registers: 32,
        edit_bytes: tag,
        ..profiles::of_2025()
    }),
    ("2025-definite-low-s", || Recipe {
        encode_payload: |entries| Cbor::Map(entries).encode(),
        edit_signature: |signature| signature.normalize_s().to_bytes().to_vec(),
        ..profiles::of_2025()
    }),
    ("2025-fields-of-1024-bytes", || Recipe {
        public_key: Some(vec![0x04; 1024]),
        user_data: Some(vec![0x5a; 1024]),
        nonce: Some(vec![0xa5; 1024]),
        ..profiles::of_2025()
    }),
    ("2025-empty-nonce", || Recipe {
        nonce: Some(Vec::new()),
        ..profiles::of_2025()
    }),
];

/// The shapes in which every defect is tried.
const CROSSED: [&str; 4] = [
    "2021",
    "2021-tagged",
    "2025-indefinite-17-registers",
    "2025-indefinite-32-registers-tagged",
];

/// A name, the defect, and the code of its error.
type Defect = (&'static str, fn(&mut Case), &'static str);

const DEFECTS: &[Defect] = &[
    ("strangers-root", strangers_root, "root-not-trusted"),
    ("strangers-chain", strangers_chain, "certificate-signature"),
    (
        "leaf-signed-by-a-stranger",
        |case| case.certificate(LEAF).signer = signing_key(9),
        "certificate-signature",
    ),
    (
        "zonal-signed-by-a-stranger",
        |case| case.certificate(ZONAL).signer = signing_key(9),
        "certificate-signature",
    ),
    (
        "signed-by-a-stranger",
        |case| case.recipe.signer = signing_key(9),
        "document-signature",
    ),
    (
        "changed-after-signing",
        |case| {
            case.recipe.edit_envelope = |parts| {
                let Cbor::Bytes(payload) = &mut parts[2] else {
                    panic!("no payload")
                };
                let at = payload
                    .windows(48)
                    .position(|part| part == [0x10; 48])
                    .expect("PCR0");
                payload[at] ^= 1;
            };
        },
        "document-signature",
    ),
    (
        "debug-mode",
        |case| case.payload(|payload| (0..3).for_each(|at| payload.set_pcr(at, &[0; 48]))),
        "debug-mode",
    ),
    (
        "pcr4-of-another-instance",
        |case| case.payload(|payload| payload.set_pcr(4, &extend_zero("i-0fedcba9876543210"))),
        "instance-pcr-mismatch",
    ),
    (
        "module-id-of-another-enclave",
        |case| {
            case.payload(|payload| {
                let Cbor::Text(id) = payload.value("module_id") else {
                    panic!("no text")
                };
                id.pop();
            });
        },
        "name-mismatch",
    ),
    (
        "nitro-tpm",
        |case| {
            case.payload(|payload| {
                for (key, _) in &mut payload.0 {
                    if matches!(key, Cbor::Text(text) if text == "pcrs") {
                        *key = Cbor::text("nitrotpm_pcrs");
                    }
                }
            });
        },
        "not-an-enclave",
    ),
    (
        "one-second-after-the-leaf",
        |case| {
            let end = case.recipe.timestamp_ms / 1000 + 3 * 3600 + 1;
            case.demand = Demand::Archived(Some(end));
        },
        "certificate-expired",
    ),
    (
        "one-second-before-it-was-signed",
        |case| {
            let at = case.recipe.timestamp_ms / 1000 - 1;
            case.demand = Demand::Archived(Some(at));
        },
        "timestamp-in-future",
    ),
    (
        "leaf-as-authority",
        |case| case.certificate(LEAF).set_basic_constraints(true, None),
        "leaf-is-authority",
    ),
    (
        "instance-that-is-no-authority",
        |case| {
            case.certificate(INSTANCE)
                .set_basic_constraints(false, None);
        },
        "certificate-not-authority",
    ),
    (
        "too-short-path",
        |case| {
            case.certificate(REGIONAL)
                .set_basic_constraints(true, Some(1));
        },
        "path-length-exceeded",
    ),
    (
        "missing-key-usage",
        |case| case.certificate(INSTANCE).remove_extension(oids::KEY_USAGE),
        "key-usage",
    ),
    (
        "unknown-critical-extension",
        |case| {
            case.certificate(LEAF)
                .set_extension(oids::UNKNOWN, true, vec![5, 0]);
        },
        "critical-extension",
    ),
    (
        "missing-link",
        |case| {
            case.payload(|payload| {
                payload.cabundle().remove(2);
            });
        },
        "issuer-mismatch",
    ),
    (
        "another-issuer",
        |case| case.certificate(LEAF).issuer = name("another.nitro-enclaves"),
        "issuer-mismatch",
    ),
    (
        "unprotected-parameter",
        |case| {
            case.recipe.edit_envelope = |parts| {
                parts[1] = Cbor::Map(vec![(Cbor::Unsigned(4), Cbor::bytes(b"key"))]);
            };
        },
        "unprotected-header",
    ),
    (
        "register-twice",
        |case| {
            case.payload(|payload| {
                let first = payload.pcrs()[0].clone();
                payload.pcrs().push(first);
            });
        },
        "duplicate-pcr",
    ),
    (
        "module-id-twice",
        |case| case.payload(|payload| payload.repeat("module_id")),
        "duplicate-key",
    ),
    (
        "field-of-1025-bytes",
        |case| case.payload(|payload| payload.set("user_data", Cbor::bytes(&[1; 1025]))),
        "optional-field-length",
    ),
];

/// Every shape, unchanged.
pub(crate) fn accepted() -> Vec<(String, Case)> {
    let rows = SHAPES.iter();
    rows.map(|(name, shape)| ((*name).to_owned(), of(*shape)))
        .collect()
}

/// Every defect in the crossed shapes, with the code of its error.
pub(crate) fn refused() -> Vec<(String, Case, &'static str)> {
    let mut rows = Vec::new();
    for (shape, recipe) in SHAPES.iter().filter(|(name, _)| CROSSED.contains(name)) {
        for (name, defect, code) in DEFECTS {
            let mut case = of(*recipe);
            defect(&mut case);
            // 32 registers and one twice are one too many before they are one twice.
            let code = match (*name, case.recipe.registers) {
                ("register-twice", 32) => "pcr-count",
                _ => *code,
            };
            rows.push((format!("{shape}-{name}"), case, code));
        }
    }
    rows
}

#[test]
fn every_shape_is_accepted() {
    for (name, case) in accepted() {
        let attested = case
            .verify()
            .unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(attested.document().module_id(), case.recipe.module_id);
        assert_eq!(
            attested.document().timestamp_ms(),
            case.recipe.timestamp_ms,
            "{name}"
        );
    }
}

#[test]
fn every_defect_of_the_crossed_shapes_fails_closed() {
    for (name, case, code) in refused() {
        let found = case.verify().map(|_| ()).map_err(|error| error.code());
        assert_eq!(found, Err(code), "{name}");
    }
}

/// Both differ in nothing else, so that the defect is the only one.
#[test]
fn shapes_have_roots_of_their_own() {
    let (one, two) = (of(profiles::of_2021), of(profiles::of_2025));
    let bytes = one.recipe.build();
    let result = two.verify_bytes(&bytes, &two.recipe.anchors());
    assert!(
        matches!(result, Err(AttestationError::RootNotTrusted { .. })),
        "{result:?}"
    );
}

fn of(shape: fn() -> Recipe) -> Case {
    let mut case = Case::new();
    case.recipe = shape();
    case.demand = Demand::Archived(Some(case.recipe.timestamp_ms / 1000));
    case
}

fn tag(bytes: Vec<u8>) -> Vec<u8> {
    [vec![0xd2], bytes].concat()
}

/// The whole chain with other keys, verified under the genuine root.
fn strangers_root(case: &mut Case) {
    case.anchors = Some(case.recipe.anchors());
    replace_keys(case, &[ROOT, REGIONAL, ZONAL, INSTANCE, LEAF]);
}

/// The genuine root, and below it other keys.
fn strangers_chain(case: &mut Case) {
    replace_keys(case, &[REGIONAL, ZONAL, INSTANCE, LEAF]);
}

fn replace_keys(case: &mut Case, places: &[usize]) {
    let first = places[0];
    for place in places {
        let key = 0x51 + *place as u8;
        let signer = if *place == first { key } else { key - 1 };
        let certificate = case.certificate(*place);
        certificate.key_info = p384_key_info(&public_key(key));
        certificate.signer = signing_key(signer);
    }
    case.recipe.signer = signing_key(0x55);
}
