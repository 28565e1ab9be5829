//! Any valid launch record, control message, report and sealed secret.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use quorate_protocol::application::{Edge, EdgeEnd, EdgeRole, LaunchRecord, Listener, TimeAnchor};
use quorate_protocol::atoms::UnixMillis;
use quorate_protocol::control::{EntropyLength, Renew, Report, ReportKind, ToInit};
use quorate_protocol::message::{ApplicationLog, Log, Reported};
use quorate_protocol::stored::SealedSecret;
use quorate_sealing::StorageSuite;

use super::{application_certificate, bytes, key, name, signed, time};

pub(super) fn launch_record() -> impl Strategy<Value = LaunchRecord> {
    let listener = (any::<u32>(), 0..=i32::MAX);
    let listener = listener.prop_map(|(port, descriptor)| Listener { port, descriptor });
    let descriptors = (0..=i32::MAX, 0..=i32::MAX);
    let edge = (edge_end(), 0..=i32::MAX);
    let edge = edge.prop_map(|(end, descriptor)| Edge { end, descriptor });
    let parts = (
        signed(application_certificate()),
        descriptors,
        vec(listener, 0..6),
        vec(edge, 0..6),
        (key(), time_anchor()),
    );
    parts.prop_map(
        |(certificate, (keys, control), listeners, edges, (instance, time))| LaunchRecord {
            format: quorate_protocol::FORMAT,
            certificate,
            keys,
            control,
            listeners,
            edges,
            instance,
            time,
        },
    )
}

fn edge_role() -> impl Strategy<Value = EdgeRole> {
    select(vec![EdgeRole::Caller, EdgeRole::Callee])
}

fn edge_end() -> impl Strategy<Value = EdgeEnd> {
    let parts = (name(), edge_role(), any::<u64>(), any::<u64>());
    parts.prop_map(|(peer, role, start, pair)| EdgeEnd {
        peer,
        role,
        start,
        pair,
    })
}

fn time_anchor() -> impl Strategy<Value = TimeAnchor> {
    (any::<u64>(), any::<u64>()).prop_map(|(time, monotonic_ns)| TimeAnchor {
        time: UnixMillis(time),
        monotonic_ns,
    })
}

fn report() -> impl Strategy<Value = Report> {
    let kind = select(vec![
        ReportKind::Note,
        ReportKind::Warning,
        ReportKind::Failure,
    ]);
    (kind, any::<u16>(), any::<u64>()).prop_map(|(kind, code, value)| Report { kind, code, value })
}

pub(super) fn log() -> impl Strategy<Value = Log> {
    let reported = (any::<u64>(), time(), report());
    let reported = reported.prop_map(|(start, time, report)| Reported {
        start,
        time,
        report,
    });
    let one = (name(), any::<u64>(), vec(reported, 0..4));
    let one = one.prop_map(|(name, dropped, reports)| ApplicationLog {
        name,
        dropped,
        reports,
    });
    vec(one, 0..4).prop_map(|applications| Log { applications })
}

pub(super) fn to_init() -> impl Strategy<Value = ToInit> {
    let length = (1..=256_u16).prop_map(|bytes| EntropyLength::new(bytes).expect("a length"));
    let renew = (name(), edge_role(), any::<u64>());
    let renew = renew.prop_map(|(peer, role, pair)| Renew { peer, role, pair });
    prop_oneof![
        Just(ToInit::Ready),
        report().prop_map(ToInit::Report),
        length.prop_map(ToInit::Entropy),
        Just(ToInit::Time),
        renew.prop_map(ToInit::Renew),
    ]
}

pub(super) fn sealed_secret() -> impl Strategy<Value = SealedSecret> {
    (any::<[u8; 32]>(), bytes()).prop_map(|(salt, ciphertext)| SealedSecret {
        suite: StorageSuite::HkdfSha256Aes256Gcm,
        salt: salt.into(),
        ciphertext,
    })
}
