//! A key forward between two enclaves, as members hold it and as the transcript tells it.

use super::*;

fn forward_approve_as(place: &Place, member: &str) -> Result<Published, CeremonyError> {
    let review = forward_approve::review(&place.folder(), &place.private(member), None)?;
    Ok(review.approve(words(member))?.published)
}

/// From a running enclave of the first manifest to one of the second, and on to a replacement.
#[test]
fn upgrade_without_shares() {
    let place = Place::new();
    let folder = place.folder();
    found(&place);
    let birth = place.start("genesis", b"genesis image");
    genesis::hold(&folder, &birth).unwrap();
    for member in MEMBERS {
        acknowledge(&place, member, &birth).unwrap();
    }
    let plan = manifest::ForwardPlan::For {
        days: 1,
        approvals: ApprovalRule::Always,
    };
    propose_with(&place, b"the image", plan);
    approve_as(&place, "alice").unwrap();
    approve_as(&place, "carol").unwrap();
    let one = place.start("one", b"the image");
    boot::boot(&folder, &one, &binaries(), None, &mut |_| {}).unwrap();
    for member in ["bob", "alice"] {
        provision_as(&place, member, &one).unwrap();
    }

    propose(&place, b"the newer image");
    let early = forward_approve_as(&place, "alice").err();
    assert_eq!(early.map(|error| error.code()), Some("forward-to-first"));
    approve_as(&place, "bob").unwrap();
    approve_as(&place, "carol").unwrap();
    let two = place.start("two", b"the newer image");
    let waits = forward::forward(&folder, &one, &two).err();
    assert_eq!(
        waits.map(|error| error.code()),
        Some("importer-not-waiting")
    );
    boot::boot(&folder, &two, &binaries(), None, &mut |_| {}).unwrap();

    // Nobody has approved; then one; then a forged file in the third name.
    let forward = |from: &Path, to: &Path| forward::forward(&folder, from, to);
    let early = forward(&one, &two).unwrap_err();
    drop(transcript::refused(
        &place.private("carol"),
        Act::Forward,
        early,
    ));
    assert_eq!(
        refused_for(forward(&one, &two)),
        Reason::ForwardApprovalsMissing
    );
    assert_eq!(
        forward_approve_as(&place, "alice").unwrap(),
        Published::Written
    );
    assert_eq!(
        forward_approve_as(&place, "alice").unwrap(),
        Published::AlreadyThere
    );
    assert_eq!(
        refused_for(forward(&one, &two)),
        Reason::ForwardApprovalsMissing
    );
    fs::copy(
        folder.join("manifests/0002/forwards/alice.cbor"),
        folder.join("manifests/0002/forwards/carol.cbor"),
    )
    .unwrap();
    assert_eq!(
        refused_for(forward(&one, &two)),
        Reason::ForwardApprovalsMissing
    );
    forward_approve_as(&place, "bob").unwrap();
    let done = forward(&one, &two).unwrap();
    transcript::note(&place.private("carol"), &done).unwrap();
    let told = done.clone();
    assert_eq!(done.found, forward::Found::Nothing);
    assert_eq!(
        (done.record.count, done.ignored.as_slice()),
        (1, &[name("carol")][..])
    );
    let shown = done.facts.forwarded_from.unwrap();
    assert_eq!(shown.approved_by, ["alice", "bob"].map(name));
    assert_eq!(
        forward(&one, &two).unwrap().found,
        forward::Found::HandedOver
    );
    let phase = Client::connect(&one).unwrap().status().unwrap().phase;
    assert_eq!(phase, Phase::HandedOver);
    let live = attest::attest(&folder, &place.private("carol"), &two, InstanceStage::Live);
    assert_eq!(live.unwrap().manifest.sequence, 2);

    // A replacement of the same manifest; the operator's machine dies before the hand-over.
    let three = place.start("three", b"the newer image");
    boot::boot(&folder, &three, &binaries(), None, &mut |_| {}).unwrap();
    assert_eq!(refused_for(forward(&one, &three)), Reason::HandedOver);
    let mut exporter = Client::connect(&two).unwrap();
    let mut importer = Client::connect(&three).unwrap();
    let nonce = exporter.challenge().unwrap().nonce;
    let document = importer.attest(Stage::Setup, nonce).unwrap();
    let request = ExportRequest {
        document,
        link: None,
        approvals: Vec::new(),
    };
    importer.import(exporter.export(request).unwrap()).unwrap();
    let done = forward(&two, &three).unwrap();
    assert_eq!(done.found, forward::Found::Imported);
    assert!(done.facts.forwarded_from.unwrap().approved_by.is_empty());
    let out = place.path("evidence.cbor");
    assert!(
        evidence::collect(&folder, &three, &out)
            .unwrap()
            .provisioned
    );
    forward_is_told(&place, &told);
}

/// Two members approved, a third had the key forwarded and saw it refused before: each has said so.
fn forward_is_told(place: &Place, done: &forward::Forwarded) {
    for member in ["carol", "bob", "alice"] {
        let review = steps::transcript::review(&place.folder(), &place.private(member)).unwrap();
        review.sign(words(member)).unwrap();
    }
    let gathered = transcript::gather(&Workspace::open(&place.folder()).unwrap()).unwrap();
    let expected = Expected {
        genesis: Some(done.genesis),
        ..Expected::default()
    };
    let verified = gathered.verify(&expected).unwrap();
    let of = |act: Act| {
        verified
            .records
            .iter()
            .filter(move |record| record.act == act)
    };
    let forwards: Vec<_> = of(Act::Forward).collect();
    let authors: Vec<_> = forwards
        .iter()
        .map(|record| record.author.as_str())
        .collect();
    assert_eq!(authors, ["alice", "bob", "carol"]);
    let carols: Vec<String> = forwards[2]
        .facts()
        .map(|fact| format!("{fact:?}"))
        .collect();
    let line = |text: &str| carols.iter().any(|line| line.contains(text));
    let record = &done.record;
    for text in [
        format!("manifest 1, enclave {}", record.exporter_module),
        format!("manifest 2, enclave {}", record.importer_module),
    ] {
        assert!(line(&text), "{text} in {carols:?}");
    }
    let digests: Vec<_> = forwards[2]
        .facts()
        .filter_map(|fact| match fact {
            Fact::Object(label, digest) => Some((label.as_str(), digest.0)),
            _ => None,
        })
        .collect();
    assert_eq!(
        digests,
        [
            (ForwardRecord::LABEL, *Digest::of(record).as_bytes()),
            (ForwardConfirmation::LABEL, *done.confirmation.as_bytes()),
            (Genesis::LABEL, *done.genesis.as_bytes()),
            (Manifest::LABEL, *record.from.as_bytes()),
            (Manifest::LABEL, *record.to.as_bytes()),
        ]
    );
    let refusals: Vec<_> = of(Act::Refusal)
        .filter(|record| record.author.as_str() == "carol")
        .collect();
    let during = |record: &&&VerifiedRecord| {
        record
            .facts()
            .any(|fact| *fact == Fact::During(Act::Forward))
    };
    assert_eq!(refusals.iter().filter(during).count(), 1);
    // The report has them in a section of their own.
    let report = Report::new(&gathered.transcript, &verified, None, UnixMillis(0), "test");
    assert_eq!(report.json()["forwards"].as_array().map(Vec::len), Some(3));
    let html = report.html();
    assert!(html.contains("Key forwards") && html.contains(&record.exporter_module.to_string()));
    // A record that was altered is named: nothing of this can be told differently later.
    let mut altered = gathered.clone();
    let place = altered.places.iter().position(|(author, sequence)| {
        author.as_str() == "carol" && *sequence == forwards[2].sequence
    });
    let mut fields = altered.transcript.into_inner();
    let bytes = fields.entries[place.unwrap()].as_slice();
    let bytes = replaced(bytes, b"manifest 1, enclave", b"manifest 7, enclave");
    fields.entries[place.unwrap()] = EntryBytes::new(bytes).unwrap();
    altered.transcript = Checked::new(fields).unwrap();
    let refused = altered.verify(&expected).map(drop);
    assert!(
        matches!(&refused, Err(TranscriptError::Line { author, .. }) if author.as_str() == "carol"),
        "{refused:?}"
    );
}

/// The bytes with one text, which is in them once, in place of another.
fn replaced(bytes: &[u8], old: &[u8], new: &[u8]) -> Vec<u8> {
    let at: Vec<_> = (0..bytes.len().saturating_sub(old.len()))
        .filter(|at| bytes[*at..].starts_with(old))
        .collect();
    assert_eq!((at.len(), old.len()), (1, new.len()));
    let mut bytes = bytes.to_vec();
    bytes[at[0]..at[0] + old.len()].copy_from_slice(new);
    bytes
}
