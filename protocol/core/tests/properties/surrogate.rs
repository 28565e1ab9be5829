//! What surrogates act with.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use quorate_protocol::cbor::Checked;
use quorate_protocol::cose::Signed;
use quorate_protocol::invalid::Invalid;
use quorate_protocol::manifest::Link;
use quorate_protocol::members::Role;
use quorate_protocol::message::{ProvisionRequest, Request};
use quorate_protocol::surrogate::{
    Delegation, DelegationFields, EntrustedShare, MAX_DELEGATION_MS, SurrogateApproval,
};
use quorate_vectors::keys::{encryption, signing, verification};

use super::{
    approval, config, digest, grant, index, manifest, name, sealed, signed, signed_survives,
    survives, time,
};
use quorate_protocol::atoms::{Name, UnixMillis};

fn fields() -> impl Strategy<Value = DelegationFields> {
    let roles = select(vec![
        vec![Role::ManifestSet],
        vec![Role::ShareSet],
        vec![Role::ManifestSet, Role::ShareSet],
    ]);
    let parts = (
        (digest(), name(), roles, 1..=u64::MAX),
        (0..u64::MAX / 2, 1..=MAX_DELEGATION_MS),
    );
    parts.prop_map(|((genesis, member, roles, sequence), (made, lasts))| {
        let surrogate = match member.as_str() {
            "grace" => "heidi",
            _ => "grace",
        };
        DelegationFields {
            genesis,
            member,
            roles,
            surrogate: Name::new(surrogate).expect("a name"),
            signing_key: verification("grace signing"),
            encryption_key: encryption("grace encryption"),
            sequence,
            expires: UnixMillis(made + lasts),
            time: UnixMillis(made),
        }
    })
}

fn delegation() -> impl Strategy<Value = Signed<Delegation>> {
    let delegation = fields().prop_map(|fields| Checked::new(fields).expect("within the rules"));
    delegation.prop_map(|delegation| Signed::sign(delegation, &signing("bob signing")))
}

proptest! {
    #![proptest_config(config(64))]

    #[test]
    fn any_delegation_and_what_goes_with_it_decode_to_themselves(
        delegation in delegation(),
        (approval, grant) in (signed(approval()), signed(grant())),
        (genesis, epoch, index, sealed, time) in (digest(), digest(), index(), sealed(), time()),
        manifest in manifest(),
        more in vec(signed(approval()), 0..3),
    ) {
        let member = verification("bob signing");
        signed_survives(&delegation, &member)?;
        let by = |approval| SurrogateApproval { delegation: delegation.clone(), approval };
        survives(&by(approval))?;
        let entrusted = EntrustedShare {
            genesis,
            delegation: delegation.digest(),
            index,
            epoch,
            sealed: sealed.clone(),
            time,
        };
        signed_survives(&Signed::sign(entrusted, &signing("bob signing")), &member)?;
        let surrogates = more.into_iter().map(by).collect();
        survives(&Link { manifest, approvals: Vec::new(), reshare: None, surrogates })?;
        let delegation = Some(Box::new(delegation));
        survives(&Request::Provision(ProvisionRequest { grant, sealed, delegation }))?;
    }

    /// At its very end a delegation may last 14 days, and not a millisecond longer.
    #[test]
    fn a_delegation_that_breaks_a_rule_fails_closed(fields in fields()) {
        let broken = |change: &dyn Fn(&mut DelegationFields)| {
            let mut fields = fields.clone();
            change(&mut fields);
            Checked::new(fields).err()
        };
        prop_assert_eq!(broken(&|_| {}), None);
        let longest = fields.time.0 + MAX_DELEGATION_MS;
        prop_assert_eq!(broken(&|f| f.expires = UnixMillis(longest)), None);
        let long = broken(&|f| f.expires = UnixMillis(longest + 1));
        prop_assert_eq!(long, Some(Invalid::DelegationLength));
        prop_assert_eq!(broken(&|f| f.expires = f.time), Some(Invalid::DelegationLength));
        prop_assert_eq!(broken(&|f| f.sequence = 0), Some(Invalid::SequenceZero));
        let itself = broken(&|f| f.surrogate = f.member.clone());
        prop_assert_eq!(itself, Some(Invalid::MemberNameRepeated));
        let one_key = broken(&|f| f.encryption_key = encryption("grace signing"));
        prop_assert_eq!(one_key, Some(Invalid::KeyReused));
        let twice = broken(&|f| f.roles = vec![Role::ShareSet, Role::ShareSet]);
        prop_assert_eq!(twice, Some(Invalid::RolesNotAscending));
        let backwards = broken(&|f| f.roles = vec![Role::ShareSet, Role::ManifestSet]);
        prop_assert_eq!(backwards, Some(Invalid::RolesNotAscending));
        let none = broken(&|f| f.roles = Vec::new());
        prop_assert_eq!(none, Some(Invalid::ListLength { min: 1, max: 2, found: 0 }));
    }
}
