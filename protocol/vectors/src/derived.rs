//! `testdata/derived/*.json`: values computed from objects, with their inputs.

use hkdf::Hkdf;
use minicbor::Encoder;
use quorate_protocol::attested::{
    applications_extension, drill_extension, extended_once, genesis_extension, live_extension,
    setup_extension,
};
use quorate_protocol::cbor::to_bytes;
use quorate_protocol::digest::Digest;
use quorate_protocol::drill::{
    drill_share_context, genesis_drill_share_context, reshare_drill_share_context,
};
use quorate_protocol::forward::forward_key_context;
use quorate_protocol::frame::frame;
use quorate_protocol::genesis::{Genesis, SealContext, SealedShare, genesis_share_context};
use quorate_protocol::instance::{Purpose, derive, derive_sealing};
use quorate_protocol::keys::VerificationKey;
use quorate_protocol::message::{Phase, Request, Response, Status};
use quorate_protocol::provision::provision_share_context;
use quorate_protocol::reshare::reshare_share_context;
use quorate_sealing::{DecryptionKey, StorageKey, open};
use quorate_sharing::Secret;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256, Sha384};

use crate::keys::{decryption, generator, pair, scalar};
use crate::world::name;
use crate::{File, hex, samples};

pub(crate) fn files() -> Vec<File> {
    vec![extensions(), contexts(), keys(), storage(), frames()]
}

fn extensions() -> File {
    let world = samples::small();
    let chain = world.chain();
    let applications = &chain[2].manifest.applications;
    let manifest = Digest::of(&chain[2].manifest);
    let (genesis, record) = (world.genesis, world.record.genesis());
    let strings = |tag: &str, items: &[&[u8]]| {
        cbor(|e| {
            let length = items.len() as u64 + 1;
            e.array(length)
                .and_then(|e| e.str(tag))
                .expect("a Vec takes all");
            for item in items {
                e.bytes(item).expect("a Vec takes all");
            }
        })
    };
    let case = |tag: &str, register: u8, preimage: Vec<u8>, extension: [u8; 48], inputs: Value| {
        assert_eq!(<[u8; 48]>::from(Sha384::digest(&preimage)), extension);
        json!({
            "name": tag,
            "register": register,
            "inputs": inputs,
            "cbor": hex(&preimage),
            "extension": hex(&extension),
            "pcr": extended_once(&extension).to_string(),
        })
    };
    let (output, definition) = (record.output.as_bytes(), record.definition.as_bytes());
    let of_pair = |tag: &str| {
        let keys = pair(tag);
        let preimage = strings(
            tag,
            &[genesis.as_bytes(), manifest.as_bytes(), &keys.to_attested()],
        );
        let inputs = json!({
            "genesis": genesis.to_string(),
            "manifest": manifest.to_string(),
            "keys": hex(&keys.to_attested()),
        });
        (keys, preimage, inputs)
    };
    let (setup, setup_preimage, setup_inputs) = of_pair("setup");
    let (live, live_preimage, live_inputs) = of_pair("live");
    let (drill, drill_preimage, drill_inputs) = of_pair("drill");
    let mut of_applications = strings("applications", &[genesis.as_bytes()]);
    // One more item than the helper counted.
    of_applications[0] += 1;
    of_applications.extend(to_bytes(applications));
    let cases = [
        case(
            "genesis",
            16,
            strings("genesis", &[definition, output]),
            genesis_extension(&record),
            json!({ "definition": hex(definition), "output": hex(output) }),
        ),
        case(
            "setup",
            16,
            setup_preimage,
            setup_extension(&genesis, &manifest, &setup),
            setup_inputs,
        ),
        case(
            "live",
            17,
            live_preimage,
            live_extension(&genesis, &manifest, &live),
            live_inputs,
        ),
        case(
            "applications",
            18,
            of_applications,
            applications_extension(&genesis, applications),
            json!({ "genesis": genesis.to_string(), "applications": hex(&to_bytes(applications)) }),
        ),
        case(
            "drill",
            16,
            drill_preimage,
            drill_extension(&genesis, &manifest, &drill),
            drill_inputs,
        ),
    ];
    let value = json!({
        "about": "extension = SHA-384(cbor), cbor as in the rules *-extension of quorate.cddl; \
                  pcr = SHA-384(48 zero bytes, extension): the register after one extension.",
        "cases": cases,
    });
    crate::json("testdata/derived/pcr-extensions.json".into(), &value)
}

fn contexts() -> File {
    let mut world = samples::small();
    let chain = world.chain();
    let manifest = chain[0].manifest.clone();
    let (grant, sealed) = world.grant(&manifest, 0);
    let claim = grant.unverified();
    let at_genesis = &world.record.output.shares[0];
    let definition = Digest::of(&world.definition);
    let forward = samples::forward::Forward::of(&world, &chain);
    let record = forward.record.unverified();
    let reshare = samples::reshare::Resharing::of(&world, &chain)
        .completed
        .reshare;
    let made = reshare.record.unverified();
    let (order, epoch) = (Digest::of(&reshare.order), made.commitments.epoch());
    let anew = &made.shares[0];
    let born = &world.record.output.drill;
    let (born_epoch, anew_epoch) = (born.commitments.epoch(), made.drill.commitments.epoch());
    let drilled = samples::drill::Drilled::of(&world, &chain);
    let drilled_under = Digest::of(&manifest);
    let cases = [
        sealing(
            "genesis",
            &genesis_share_context(&definition, at_genesis.index),
            "alice encryption",
            &at_genesis.sealed,
            json!({ "definition": definition.to_string(), "index": at_genesis.index.get() }),
        ),
        sealing(
            "provision",
            &provision_share_context(&claim.genesis, &claim.manifest, claim.index, &claim.epoch),
            "setup hpke",
            &sealed,
            json!({
                "genesis": claim.genesis.to_string(),
                "manifest": claim.manifest.to_string(),
                "index": claim.index.get(),
                "epoch": claim.epoch.to_string(),
            }),
        ),
        sealing(
            "forward",
            &forward_key_context(record),
            "importer setup hpke",
            &forward.sealed,
            json!({ "record": hex(&to_bytes(record)) }),
        ),
        sealing(
            "reshare",
            &reshare_share_context(&order, anew.index, &epoch),
            "alice encryption",
            &anew.sealed,
            json!({
                "order": order.to_string(),
                "index": anew.index.get(),
                "epoch": epoch.to_string(),
            }),
        ),
        sealing(
            "genesis drill",
            &genesis_drill_share_context(&definition, born.shares[0].index, &born_epoch),
            "alice encryption",
            &born.shares[0].sealed,
            json!({
                "definition": definition.to_string(),
                "index": born.shares[0].index.get(),
                "epoch": born_epoch.to_string(),
            }),
        ),
        sealing(
            "reshare drill",
            &reshare_drill_share_context(&order, made.drill.shares[0].index, &anew_epoch),
            "alice encryption",
            &made.drill.shares[0].sealed,
            json!({
                "order": order.to_string(),
                "index": made.drill.shares[0].index.get(),
                "epoch": anew_epoch.to_string(),
            }),
        ),
        sealing(
            "drill",
            &drill_share_context(
                &world.genesis,
                &drilled_under,
                at_genesis.index,
                &born_epoch,
            ),
            "drill setup hpke",
            &drilled.sealed,
            json!({
                "genesis": world.genesis.to_string(),
                "manifest": drilled_under.to_string(),
                "index": at_genesis.index.get(),
                "epoch": born_epoch.to_string(),
            }),
        ),
    ];
    let value = json!({
        "about": "HPKE base mode, DHKEM(P-256, HKDF-SHA256), HKDF-SHA256, AES-256-GCM: info and \
                  aad of a sealed scalar, and one that was sealed with them. aad as in the rules \
                  *-aad of quorate.cddl; info is the text in ASCII.",
        "cases": cases,
    });
    crate::json("testdata/derived/seal-contexts.json".into(), &value)
}

fn sealing(
    name: &str,
    context: &SealContext,
    recipient: &str,
    sealed: &SealedShare,
    inputs: Value,
) -> Value {
    let key: DecryptionKey = decryption(recipient);
    let info = context.info.as_bytes();
    let share = open(sealed.suite, &key, info, &context.aad, &sealed.sealed(), 32);
    json!({
        "name": name,
        "inputs": inputs,
        "info": context.info,
        "aad": hex(&context.aad),
        "recipient_secret": hex(&scalar(recipient)),
        "suite": sealed.suite.id(),
        "enc": hex(sealed.enc.as_slice()),
        "ciphertext": hex(sealed.ciphertext.as_slice()),
        "plaintext": hex(&share.expect("it was sealed to this key")),
    })
}

fn keys() -> File {
    let world = samples::small();
    let mut cases = Vec::new();
    for (secret, genesis) in [
        (*world.secret.to_bytes(), world.genesis),
        (
            scalar("another quorum"),
            Digest::<Genesis>::from_bytes([0x11; 32]),
        ),
    ] {
        for (application, purpose) in [
            ("init", Purpose::Instance),
            ("echo", Purpose::Signing),
            ("echo", Purpose::Encryption),
        ] {
            cases.push(derivation(&secret, &genesis, application, purpose));
        }
    }
    let sealing: Vec<_> = [("echo", "echo"), ("notary", "echo")]
        .map(|(owner, reader)| sealing_derivation(&world.secret, &world.genesis, owner, reader))
        .into();
    let value = json!({
        "about": "okm = HKDF-SHA256(secret, no salt, info, 48 bytes); scalar = okm as a \
                  big-endian number modulo the order of P-256; info as in the rule \
                  derivation-info of quorate.cddl. Sealing keys: HKDF-SHA256(secret, no salt, \
                  info, 32 bytes), info as in the rule sealing-derivation-info.",
        "cases": cases,
        "sealing": sealing,
    });
    crate::json("testdata/derived/key-derivation.json".into(), &value)
}

fn derivation(
    secret: &[u8; 32],
    genesis: &Digest<Genesis>,
    application: &str,
    purpose: Purpose,
) -> Value {
    let info = cbor(|e| {
        e.array(4)
            .and_then(|e| e.u8(1))
            .and_then(|e| e.bytes(genesis.as_bytes()))
            .and_then(|e| e.str(application))
            .and_then(|e| e.str(purpose.name()))
            .expect("a Vec takes all");
    });
    let mut okm = [0; 48];
    let hkdf = Hkdf::<Sha256>::new(None, secret);
    hkdf.expand(&info, &mut okm)
        .expect("a length HKDF can give");
    let parsed = Secret::from_bytes(secret).expect("a scalar");
    let derived = derive(&parsed, genesis, application, purpose).expect("a nonzero scalar");
    json!({
        "secret": hex(secret),
        "genesis": genesis.to_string(),
        "application": application,
        "purpose": purpose.name(),
        "info": hex(&info),
        "okm": hex(&okm),
        "scalar": hex(&*derived.to_bytes()),
        "public": VerificationKey::of(&derived.signing_key()).to_string(),
    })
}

fn sealing_derivation(
    secret: &Secret,
    genesis: &Digest<Genesis>,
    owner: &str,
    reader: &str,
) -> Value {
    let info = cbor(|e| {
        e.array(5)
            .and_then(|e| e.u8(1))
            .and_then(|e| e.bytes(genesis.as_bytes()))
            .and_then(|e| e.str(owner))
            .and_then(|e| e.str(reader))
            .and_then(|e| e.str("sealing"))
            .expect("a Vec takes all");
    });
    let key = derive_sealing(secret, genesis, &name(owner), &name(reader)).expect("a key");
    json!({
        "secret": hex(&*secret.to_bytes()),
        "genesis": genesis.to_string(),
        "owner": owner,
        "reader": reader,
        "info": hex(&info),
        "key": hex(&*key),
    })
}

/// A sealed secret step by step, so that another implementation can find where it differs.
fn storage() -> File {
    let plaintext = [7; 32];
    let (key, context) = (scalar("storage"), b"sample");
    let storage_key = StorageKey::from_bytes(&key);
    let sealed = storage_key
        .seal(context, &plaintext, &mut generator("storage salt"))
        .expect("a short secret");
    let info = [
        b"quorate/sealed-secret/v1".as_slice(),
        Sha256::digest(context).as_slice(),
    ]
    .concat();
    let mut object_key = [0; 32];
    let hkdf = Hkdf::<Sha256>::new(Some(&sealed.salt), &key);
    hkdf.expand(&info, &mut object_key)
        .expect("a length HKDF can give");
    let value = json!({
        "about": "A sealed-secret of quorate.cddl and the values on the way to it. object_key = \
                  HKDF-SHA256(key, salt, info, 32 bytes); ciphertext = AES-256-GCM(object_key, \
                  12 zero bytes, plaintext, AAD context) and its tag.",
        "key": hex(&key),
        "context": hex(context),
        "plaintext": hex(&plaintext),
        "suite": sealed.suite.id(),
        "salt": hex(&sealed.salt),
        "info": hex(&info),
        "object_key": hex(&object_key),
        "ciphertext": hex(&sealed.ciphertext),
    });
    crate::json("testdata/derived/sealed-secret.json".into(), &value)
}

fn frames() -> File {
    let status = Response::Status(Status {
        phase: Phase::Waiting,
        genesis: None,
        manifest: None,
        epoch: None,
        accepted: Vec::new(),
        threshold: 0,
        applications: Vec::new(),
    });
    let case = |direction: &str, payload: Vec<u8>| {
        json!({
            "direction": direction,
            "payload": hex(&payload),
            "frame": hex(&frame(&payload).expect("a short payload")),
        })
    };
    let refused = |name: &str, direction: &str, received: &str| json!({ "name": name, "direction": direction, "received": received });
    let value = json!({
        "about": "Frames of complete messages, and beginnings of streams that must be refused \
                  once these bytes are there, whatever follows.",
        "frames": [
            case("request", to_bytes(&Request::Status)),
            case("response", to_bytes(&status)),
        ],
        "refused": [
            refused("version 0", "request", "00"),
            refused("version 2", "response", "02"),
            refused("no payload", "request", "0100000000"),
            refused("payload of one byte", "request", "0100000001"),
            refused("longer than any request", "request", "0100200001"),
            refused("longer than any response", "response", "0100900001"),
            refused("longest length", "request", "01ffffffff"),
            refused("a request of unknown kind", "request", "01000000028117"),
            refused("a response of unknown kind", "response", "01000000028217"),
            refused("no array", "request", "0100000002a000"),
            refused("an array of three", "request", "01000000028300"),
            refused("kind in two bytes", "request", "0100000003811800"),
            refused("a status request of three bytes", "request", "01000000038100"),
            refused("an attest request of 129 bytes", "request", "01000000818204"),
            refused("a refusal of 1025 bytes", "response", "01000004018207"),
        ],
    });
    crate::json("testdata/derived/frames.json".into(), &value)
}

fn cbor(write: impl FnOnce(&mut Encoder<&mut Vec<u8>>)) -> Vec<u8> {
    let mut bytes = Vec::new();
    write(&mut Encoder::new(&mut bytes));
    bytes
}
