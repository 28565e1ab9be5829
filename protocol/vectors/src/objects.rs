//! `testdata/objects/KIND.json` and `testdata/twins/KIND.json`.

use serde_json::{Map, Value, json};

use crate::kinds::KINDS;
use crate::samples::Sample;
use crate::{File, hex};

pub(crate) fn files(samples: &[Sample]) -> Vec<File> {
    let mut files = Vec::new();
    for kind in KINDS {
        let of_kind = || {
            samples
                .iter()
                .filter(|sample| sample.kind.label == kind.label)
        };
        let value = json!({
            "label": kind.label,
            "aad": hex(kind.label.as_bytes()),
            "max": kind.max,
            "signed": kind.signed.is_some(),
            "cases": of_kind().map(case).collect::<Vec<_>>(),
        });
        files.push(crate::json(
            format!("testdata/objects/{}.json", kind.stem()),
            &value,
        ));
        if let Some(twin) = kind.twin {
            let twins: Map<String, Value> = of_kind()
                .map(|sample| {
                    let shown = match (&sample.signature, kind.signed) {
                        (Some(signature), Some(signed)) => (signed.twin)(&signature.cose),
                        _ => twin(&sample.bytes),
                    };
                    (sample.name.into(), shown.expect("a sample decodes"))
                })
                .collect();
            let path = format!("testdata/twins/{}.json", kind.stem());
            files.push(crate::json(path, &twins.into()));
        }
    }
    files
}

fn case(sample: &Sample) -> Value {
    let digest = (sample.kind.digest)(&sample.bytes).expect("a sample decodes");
    let mut case = json!({
        "name": sample.name,
        "bytes": hex(&sample.bytes),
        "digest": hex(&digest),
    });
    if let (Some(signature), Value::Object(map)) = (&sample.signature, &mut case) {
        map.insert("signer".into(), signature.signer.into());
        map.insert("public_key".into(), signature.key.to_string().into());
        map.insert("to_be_signed".into(), hex(&signature.to_be_signed).into());
        map.insert("signature".into(), hex(&signature.signature).into());
        map.insert("cose_sign1".into(), hex(&signature.cose).into());
    }
    case
}
