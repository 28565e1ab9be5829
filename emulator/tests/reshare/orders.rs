//! What an instance refuses, by name, and that a refusal changes nothing.

use quorate_protocol::atoms::{Bytes, UnixMillis};
use quorate_protocol::cbor::{Checked, to_bytes};
use quorate_protocol::cose::Signed;
use quorate_protocol::digest::Digest;
use quorate_protocol::frame::frame;
use quorate_protocol::manifest::{Link, Manifest};
use quorate_protocol::members::Role;
use quorate_protocol::message::{Phase, Reason, Request, Response};
use quorate_protocol::reshare::{ReshareChallenge, ReshareConsent, ReshareOrder, ReshareRequest};

use crate::common::{self, Person, World, approvals, echo, index, nonce, reason, set};
use crate::namespace::{Namespace, ask, challenge, consent, reshare};

/// What is wrong with an order.
type Change<'a> = &'a dyn Fn(&mut ReshareOrder);

const BOTH: [Role; 2] = [Role::ManifestSet, Role::ShareSet];

/// Before there is a key there is nothing to share, and no order to carry out.
#[test]
fn an_enclave_without_the_key_reshares_nothing_fails_closed() {
    let namespace = Namespace::new();
    let order = namespace.order(&namespace.challenge());
    let request = namespace.request(&order);
    let mut world = namespace.world;
    let waiting = world.start();
    assert_eq!(
        reason(waiting.ask(&Request::ReshareChallenge)),
        Reason::WrongPhase
    );
    assert_eq!(reason(ask(&waiting, &request)), Reason::WrongPhase);
    let shares = common::copies(&namespace.running.shares);
    let chain = namespace.running.chain.clone();
    let booted = world.boot(namespace.record, shares, chain);
    assert_eq!(booted.enclave.status().phase, Phase::Collecting);
    let refused = booted.enclave.ask(&Request::ReshareChallenge);
    assert_eq!(reason(refused), Reason::WrongPhase);
    assert_eq!(reason(ask(&booted.enclave, &request)), Reason::WrongPhase);
}

#[test]
fn strangers_cannot_ask_for_it_fails_closed() {
    let namespace = Namespace::new();
    let order = namespace.order(&namespace.challenge());
    let request = Request::Reshare(Box::new(namespace.request(&order)));
    let enclave = &namespace.running.enclave;
    for request in [&Request::ReshareChallenge, &request] {
        let refused = enclave.ask_public(request);
        assert_eq!(reason(refused), Reason::WrongPort);
    }
    reshare(enclave, &namespace.request(&order));
}

#[test]
fn orders_for_something_else_fail_closed() {
    let namespace = Namespace::new();
    let enclave = &namespace.running.enclave;
    // No nonce was asked for yet.
    let never = ReshareChallenge {
        nonce: nonce(),
        expires: UnixMillis(u64::MAX >> 12),
    };
    let refused = ask(enclave, &namespace.request(&namespace.order(&never)));
    assert_eq!(reason(refused), Reason::ReshareNonce);

    let challenge = namespace.challenge();
    let honest = namespace.order(&challenge);
    let stranger = Person::new("stranger", 1);
    let cases: [(Reason, Change<'_>); 8] = [
        (Reason::ReshareNonce, &|o| o.nonce = nonce()),
        (Reason::ReshareNonce, &|o| {
            o.nonce = Bytes::new(o.nonce.as_slice()[..31].to_vec()).unwrap();
        }),
        (Reason::ReshareForAnother, &|o| {
            o.manifest = Digest::from_bytes([8; 32]);
        }),
        (Reason::ReshareForAnother, &|o| {
            o.epoch = Digest::from_bytes([9; 32]);
        }),
        (Reason::ReshareForAnother, &|o| {
            o.live = namespace.running.booted.setup.clone();
        }),
        (Reason::ReshareForAnother, &|o| {
            o.live.encryption = stranger.decryption.public().into();
        }),
        (Reason::ReshareExpired, &|o| o.expires = UnixMillis(1)),
        (Reason::ReshareTooLong, &|o| o.expires.0 += 1),
    ];
    for (expected, change) in cases {
        let mut order = honest.clone();
        change(&mut order);
        // Consented to by everybody, as it stands.
        assert_eq!(reason(ask(enclave, &namespace.request(&order))), expected);
    }
    let mut order = honest.clone();
    order.genesis = Digest::from_bytes([7; 32]);
    assert_ne!(order.genesis, honest.genesis);
    let refused = ask(enclave, &namespace.request(&order));
    assert_eq!(reason(refused), Reason::ReshareForAnother);

    // An older nonce, after another was asked for.
    let fresh = namespace.challenge();
    let refused = ask(enclave, &namespace.request(&honest));
    assert_eq!(reason(refused), Reason::ReshareNonce);
    reshare(enclave, &namespace.request(&namespace.order(&fresh)));
}

#[test]
fn too_few_or_false_consents_fail_closed() {
    let namespace = Namespace::new();
    let enclave = &namespace.running.enclave;
    let order = namespace.order(&namespace.challenge());
    let honest = namespace.request(&order);
    let with = |consents: Vec<Signed<ReshareConsent>>| ReshareRequest {
        order: order.clone(),
        consents,
    };
    let refused = |consents| {
        let refusal = enclave.refused(&Request::Reshare(Box::new(with(consents))));
        (refusal.reason, refusal.member.map(|member| member.0))
    };
    let missing = (Reason::ReshareConsentsMissing, None);
    // Nobody; one role only; one short in either.
    assert_eq!(refused(Vec::new()), missing);
    for role in BOTH {
        let only = |consent: &Signed<ReshareConsent>| consent.unverified().role == role;
        let (ours, theirs): (Vec<_>, Vec<_>) = honest.consents.iter().cloned().partition(only);
        assert_eq!(refused(ours.clone()), missing);
        // More of one set do not stand in for the other.
        let mut many = ours;
        many.push(namespace.consent(&order, role, 2));
        assert_eq!(refused(many.clone()), missing);
        many.push(theirs[0].clone());
        assert_eq!(refused(many), missing);
    }
    // A signature that was given in one role, named as the other.
    for (at, consent) in honest.consents.iter().enumerate() {
        let claim = consent.unverified();
        let role = match claim.role {
            Role::ManifestSet => Role::ShareSet,
            Role::ShareSet => Role::ManifestSet,
        };
        let turned = ReshareConsent {
            role,
            ..claim.clone()
        };
        let forged = Signed::from_parts(turned, &consent.signature()).unwrap();
        let mut consents = honest.consents.clone();
        consents.retain(|other| {
            (other.unverified().role, other.unverified().index) != (role, claim.index)
        });
        consents.retain(|other| other != consent);
        consents.push(forged);
        let expected = (Reason::ReshareConsentSignature, Some(claim.index));
        assert_eq!(refused(consents), expected, "consent {at}");
    }
    // Beside enough good ones: twice, a stranger, another's key, another order, another genesis.
    let beside = |extra: Signed<ReshareConsent>| {
        let mut consents = honest.consents.clone();
        consents.push(extra);
        refused(consents)
    };
    let (third, new) = (&namespace.world.people[2], &namespace.next[2]);
    for role in BOTH {
        assert_eq!(
            beside(namespace.consent(&order, role, 0)),
            (Reason::ReshareConsentRepeated, Some(index(1)))
        );
        // A new member has no say yet.
        let by_new = Signed::sign(consent(&order, role, new), &new.signing);
        assert_eq!(
            beside(by_new),
            (Reason::ReshareConsentOfStranger, Some(new.index))
        );
        let by_another = Signed::sign(consent(&order, role, third), &new.signing);
        assert_eq!(
            beside(by_another),
            (Reason::ReshareConsentSignature, Some(third.index))
        );
        let mut other = order.clone();
        other.expires.0 -= 1;
        let to_another = Signed::sign(consent(&other, role, third), &third.signing);
        assert_eq!(
            beside(to_another),
            (Reason::ReshareConsentOfAnother, Some(third.index))
        );
        let mut claim = consent(&order, role, third);
        claim.genesis = Digest::from_bytes([7; 32]);
        assert_eq!(
            beside(Signed::sign(claim, &third.signing)),
            (Reason::ReshareConsentOfAnother, Some(third.index))
        );
    }
    reshare(enclave, &honest);
}

/// One order is open at a time. It gets its own answer again, byte for byte; no other is taken, and no
/// nonce is given, until it has expired.
#[test]
fn a_second_order_while_one_is_open_fails_closed() {
    let namespace = Namespace::new();
    let enclave = &namespace.running.enclave;
    let challenge = namespace.challenge();
    let order = namespace.order(&challenge);
    let request = namespace.request(&order);
    let first = reshare(enclave, &request);
    assert_eq!(reshare(enclave, &request), first);
    // The same order with other consents is the same order.
    let bare = ReshareRequest {
        consents: Vec::new(),
        ..request.clone()
    };
    assert_eq!(reshare(enclave, &bare), first);
    assert_eq!(
        reason(enclave.ask(&Request::ReshareChallenge)),
        Reason::ReshareOpen
    );
    let mut second = order;
    second.share_set = set(&namespace.next, 2);
    let refused = ask(enclave, &namespace.request(&second));
    assert_eq!(reason(refused), Reason::ReshareOpen);
    assert_eq!(reshare(enclave, &request), first);
}

/// A threshold of one or of more than there are, one index, name or key twice: no such order can be
/// said in the contract, so the bytes are no request.
#[test]
fn a_set_that_is_none_fails_closed() {
    let namespace = Namespace::new();
    let enclave = &namespace.running.enclave;
    let order = namespace.order(&namespace.challenge());
    let honest = namespace.request(&order);
    let bytes = to_bytes(&Request::Reshare(Box::new(honest.clone())));
    let set_of = |threshold: u8, people: &[&Person]| {
        let members: Vec<_> = people.iter().map(|person| person.member()).collect();
        let fields = quorate_protocol::members::MemberSetFields { threshold, members };
        minicbor::to_vec(&fields).unwrap()
    };
    let good: Vec<&Person> = namespace.next.iter().collect();
    let encoded = set_of(3, &good);
    assert_eq!(encoded, to_vec(&order));
    let mut twice = Person::new("twice", 9);
    twice.name = namespace.next[0].name.clone();
    let mut same_key = Person::new("same-key", 9);
    same_key.signing = namespace.next[0].signing.clone();
    let other_index = Person::new("other-index", 4);
    let firsts: Vec<&Person> = good[..3].to_vec();
    let with = |last: &'_ Person| {
        let mut people = firsts.clone();
        people.push(last);
        set_of(3, &people)
    };
    let bad = [
        set_of(0, &good),
        set_of(1, &good),
        set_of(5, &good),
        set_of(0, &[]),
        with(&twice),
        with(&same_key),
        with(&other_index),
        with(good[2]),
    ];
    for (case, replaced) in bad.iter().enumerate() {
        let at = bytes.windows(encoded.len()).position(|w| w == encoded);
        let at = at.unwrap();
        let mut changed = bytes[..at].to_vec();
        changed.extend(replaced);
        changed.extend(&bytes[at + encoded.len()..]);
        let mut stream = enclave.connect();
        std::io::Write::write_all(&mut stream, &frame(&changed).unwrap()).unwrap();
        let answer = common::read_response(&mut stream);
        assert!(
            matches!(&answer, Some(Response::Refused(r)) if r.reason == Reason::Malformed),
            "case {case}: {answer:?}"
        );
    }
    // Nothing was changed by any of them.
    reshare(enclave, &honest);
}

fn to_vec(order: &ReshareOrder) -> Vec<u8> {
    minicbor::to_vec(&order.share_set).unwrap()
}

/// What was forwarded away is shared anew by the instance that has it, never by the one that had it.
#[test]
fn an_enclave_that_handed_over_reshares_nothing_fails_closed() {
    use quorate_protocol::forward::{ApprovalRule, ExportRequest, ForwardPolicy};
    use quorate_protocol::message::Stage;
    let mut world = World::new(3, 2);
    world.role = Some("arn:aws:iam::123456789012:role/quorate".to_owned());
    let (record, shares) = world.genesis();
    let mut fields = world.manifest_fields(&record, &echo());
    fields.forward = Some(ForwardPolicy {
        not_after: UnixMillis(u64::MAX >> 12),
        approvals: ApprovalRule::Always,
    });
    let manifest: Manifest = Checked::new(fields).unwrap();
    let signers = &world.people[..2];
    let mut given = approvals(&manifest, signers, Role::ManifestSet);
    given.extend(approvals(&manifest, signers, Role::ShareSet));
    let chain = vec![Link {
        manifest,
        approvals: given,
        reshare: None,
    }];
    let old = world.boot(record.clone(), common::copies(&shares), chain.clone());
    old.provision(&world, &[0, 1]);
    let new = world.boot(record.clone(), shares, chain);
    let asked = challenge(&old.enclave);
    let nonce = match old.enclave.ask(&Request::Challenge) {
        Response::Challenge(challenge) => challenge.nonce,
        other => panic!("{other:?}"),
    };
    let document = new.enclave.attest(Stage::Setup, &nonce);
    let request = ExportRequest {
        document: Bytes::new(document).unwrap(),
        link: None,
        approvals: Vec::new(),
    };
    let key = match old.enclave.ask(&Request::Export(Box::new(request))) {
        Response::Exported(key) => key,
        other => panic!("{other:?}"),
    };
    let confirmed = match new.enclave.ask(&Request::Import(key)) {
        Response::Imported(confirmed) => confirmed,
        other => panic!("{other:?}"),
    };
    let answer = old.enclave.ask(&Request::HandOver(confirmed));
    assert!(matches!(answer, Response::HandedOver), "{answer:?}");
    new.await_running();

    let next = (1..=3)
        .map(|n| Person::new(&format!("new-{n}"), n))
        .collect();
    let namespace = Namespace {
        record,
        running: old,
        next,
        threshold: 2,
        world,
    };
    let order = namespace.order_for(&namespace.running, asked.nonce, asked.expires);
    let request = namespace.request(&order);
    let old = &namespace.running.enclave;
    assert_eq!(reason(ask(old, &request)), Reason::HandedOver);
    assert_eq!(
        reason(old.ask(&Request::ReshareChallenge)),
        Reason::HandedOver
    );
    // The new one does not carry out what was meant for the old one.
    assert_eq!(
        reason(ask(&new.enclave, &request)),
        Reason::ReshareForAnother
    );
    let fresh = challenge(&new.enclave);
    let order = namespace.order_for(&new, fresh.nonce, fresh.expires);
    let answer = reshare(&new.enclave, &namespace.request(&order));
    namespace.open(&answer);
}
