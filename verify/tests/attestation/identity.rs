//! Rules 17 and 18: debug mode, and whose document this is.

use quorate_verify::attestation::{AttestationError as E, DebugMode, Link, Pcr};

use crate::case::Case;
use crate::common::cbor::Cbor;
use crate::common::nitro::{INSTANCE, INSTANCE_ID, INSTANCE_NAME, LEAF, extend_zero, name};

const AT_INSTANCE: Link = Link::Bundle { index: 3 };
const OTHER_INSTANCE: &str = "i-0fedcba9876543210";

refusals! {
    // PCR4.
    #[test]
    fn pcr4_of_another_instance_fails_closed: |case| case.payload(|payload| {
        payload.set_pcr(4, &extend_zero(OTHER_INSTANCE));
    }) => instance_pcr(&extend_zero(OTHER_INSTANCE));
    #[test]
    fn pcr4_zero_fails_closed: |case| case.payload(|payload| payload.set_pcr(4, &[0; 48]))
        => instance_pcr(&[0; 48]);
    #[test]
    fn pcr4_of_the_whole_module_id_fails_closed: |case| case.payload(|payload| {
        payload.set_pcr(4, &extend_zero(crate::common::nitro::MODULE_ID));
    }) => instance_pcr(&extend_zero(crate::common::nitro::MODULE_ID));
    #[test]
    fn pcr4_missing_fails_closed: |case| case.payload(|payload| { payload.pcrs().remove(4); })
        => E::PcrMissing { index: 4 };

    // The module id.
    #[test]
    fn module_id_of_another_instance_fails_closed: |case| case.payload(|payload| {
        payload.set("module_id", Cbor::text("i-0fedcba9876543210-enc0123456789abcdef"));
    }) => E::NameMismatch { link: Link::Leaf };
    #[test]
    fn module_id_of_another_enclave_fails_closed: |case| case.payload(|payload| {
        payload.set("module_id", Cbor::text("i-0123456789abcdef0-enc0123456789abcdee"));
    }) => E::NameMismatch { link: Link::Leaf };
    #[test]
    fn shortened_module_id_fails_closed: |case| case.payload(|payload| {
        payload.set("module_id", Cbor::text("i-0123456789abcdef0-enc0123456789abcde"));
    }) => E::NameMismatch { link: Link::Leaf };
    #[test]
    fn module_id_without_enclave_fails_closed: |case| case.payload(|payload| {
        payload.set("module_id", Cbor::text(INSTANCE_ID));
    }) => E::ModuleIdMalformed;
    #[test]
    fn module_id_with_empty_enclave_fails_closed: |case| case.payload(|payload| {
        payload.set("module_id", Cbor::text("i-0123456789abcdef0-enc"));
    }) => E::ModuleIdMalformed;
    #[test]
    fn module_id_in_upper_case_fails_closed: |case| case.payload(|payload| {
        payload.set("module_id", Cbor::text("i-0123456789ABCDEF0-enc0123456789abcdef"));
    }) => E::ModuleIdMalformed;
    #[test]
    fn module_id_that_is_not_an_instance_fails_closed: |case| case.payload(|payload| {
        payload.set("module_id", Cbor::text("m-0123456789abcdef0-enc0123456789abcdef"));
    }) => E::ModuleIdMalformed;
    #[test]
    fn module_id_with_two_enclaves_fails_closed: |case| case.payload(|payload| {
        payload.set("module_id", Cbor::text("i-0123456789abcdef0-enc01-enc02"));
    }) => E::ModuleIdMalformed;
    #[test]
    fn module_id_with_a_short_instance_fails_closed: |case| case.payload(|payload| {
        payload.set("module_id", Cbor::text("i-0-enc0123456789abcdef"));
    }) => E::ModuleIdMalformed;

    // The names in the certificates.
    #[test]
    fn leaf_of_another_enclave_fails_closed: |case| {
        case.certificate(LEAF).subject =
            name("i-0123456789abcdef0-enc0123456789abcdee.test-1.development");
    } => E::NameMismatch { link: Link::Leaf };
    #[test]
    fn leaf_named_without_scope_fails_closed: |case| {
        case.certificate(LEAF).subject = name("i-0123456789abcdef0-enc0123456789abcdef");
    } => E::NameMismatch { link: Link::Leaf };
    #[test]
    fn leaf_named_with_an_empty_scope_fails_closed: |case| {
        case.certificate(LEAF).subject = name("i-0123456789abcdef0-enc0123456789abcdef.");
    } => E::NameMismatch { link: Link::Leaf };
    #[test]
    fn leaf_with_a_longer_enclave_id_fails_closed: |case| {
        case.certificate(LEAF).subject =
            name("i-0123456789abcdef0-enc0123456789abcdef0.test-1.development");
    } => E::NameMismatch { link: Link::Leaf };
    #[test]
    fn leaf_of_another_region_fails_closed: |case| {
        case.certificate(LEAF).subject =
            name("i-0123456789abcdef0-enc0123456789abcdef.test-2.development");
    } => E::NameMismatch { link: AT_INSTANCE };
    #[test]
    fn issuer_of_another_instance_fails_closed: |case| {
        rename_instance(case, "i-0fedcba9876543210.test-1.development.nitro-enclaves");
    } => E::NameMismatch { link: AT_INSTANCE };
    #[test]
    fn issuer_without_the_fixed_end_fails_closed: |case| {
        rename_instance(case, "i-0123456789abcdef0.test-1.development");
    } => E::NameMismatch { link: AT_INSTANCE };
    #[test]
    fn issuer_with_a_longer_end_fails_closed: |case| {
        rename_instance(case, &format!("{INSTANCE_NAME}.example"));
    } => E::NameMismatch { link: AT_INSTANCE };

    // Debug mode.
    #[test]
    fn debug_mode_fails_closed: |case| case.payload(|payload| {
        (0..3).for_each(|index| payload.set_pcr(index, &[0; 48]));
    }) => E::DebugMode;
    #[test]
    fn zero_pcr0_alone_fails_closed: |case| case.payload(|payload| payload.set_pcr(0, &[0; 48]))
        => E::DebugMode;
    #[test]
    fn zero_pcr1_alone_fails_closed: |case| case.payload(|payload| payload.set_pcr(1, &[0; 48]))
        => E::DebugMode;
    #[test]
    fn zero_pcr2_alone_fails_closed: |case| case.payload(|payload| payload.set_pcr(2, &[0; 48]))
        => E::DebugMode;
    #[test]
    fn pcr0_missing_fails_closed: |case| case.payload(|payload| { payload.pcrs().remove(0); })
        => E::PcrMissing { index: 0 };
    #[test]
    fn pcr2_missing_in_debug_mode_fails_closed: |case| {
        case.debug = DebugMode::Allowed;
        case.payload(|payload| { payload.pcrs().remove(2); });
    } => E::PcrMissing { index: 2 };
}

#[test]
fn debug_mode_is_accepted_only_when_asked_for_and_reported() {
    let mut case = Case::new();
    case.debug = DebugMode::Allowed;
    assert!(!case.verify().unwrap().is_debug());
    case.payload(|payload| (0..3).for_each(|index| payload.set_pcr(index, &[0; 48])));
    assert!(case.verify().unwrap().is_debug());
    assert_eq!(DebugMode::default(), DebugMode::Refused);
}

/// Names the instance certificate otherwise, and the leaf after it.
fn rename_instance(case: &mut Case, common_name: &str) {
    case.certificate(INSTANCE).subject = name(common_name);
    case.certificate(LEAF).issuer = name(common_name);
}

fn instance_pcr(found: &[u8]) -> E {
    let pcr = |bytes: &[u8]| Pcr::new(bytes.try_into().unwrap());
    E::InstancePcrMismatch {
        expected: pcr(&extend_zero(INSTANCE_ID)),
        found: pcr(found),
    }
}
