//! Drill grants that no honest tool makes.

use model::drill::{Bad, Epoch, Part, Who};
use quorate_protocol::cose::Signed;
use quorate_protocol::drill::{DrillPossession, DrillRequest};
use quorate_sharing::{Secret, Share};

use crate::common::{self, index};
use crate::prepared::{Prepared, part};
use crate::rehearsal::Rehearsal;

/// What a dishonest member or host makes.
pub(crate) fn bad(
    prepared: &Prepared,
    (at, epoch): (&Rehearsal, Epoch),
    bad: Bad,
    who: Who,
) -> DrillRequest {
    let named = prepared.named(epoch);
    let (by, real) = (&named.people[&who], &named.real[&who]);
    let good = part(at, named, who, Part::Whole);
    let random = || Secret::random(&mut common::rng()).signing_key();
    match bad {
        Bad::RealShare => at.request(by, real, Some(real)),
        Bad::WrongShare => {
            let number = random().to_bytes();
            let wrong = Share::from_bytes(real.index(), &number.into()).unwrap();
            at.request(by, real, Some(&wrong))
        }
        Bad::WrongProof => {
            let possession = Signed::sign(at.possession(real), &random());
            DrillRequest {
                grant: Signed::sign(at.grant(possession, good.sealed.as_ref()), &by.signing),
                sealed: good.sealed,
            }
        }
        Bad::OldEpoch => {
            let old = &prepared.old;
            let possession = DrillPossession {
                epoch: prepared.genesis.epoch(),
                ..at.possession(&old.real[&who])
            };
            let possession = Signed::sign(possession, &old.real[&who].signing_key());
            let scalar = old.drill_shares[&who].to_bytes();
            let sealed = at.sealed(real.index(), &*scalar);
            let mut grant = at.grant(possession, Some(&sealed));
            grant.drill = old.drill.commitments.epoch();
            DrillRequest {
                grant: Signed::sign(grant, &by.signing),
                sealed: Some(sealed),
            }
        }
        Bad::OldProof => {
            let old = &prepared.old.real[&who];
            at.request(by, old, Some(&named.drill_shares[&who]))
        }
        Bad::Forged => {
            let grant = good.grant.unverified().clone();
            DrillRequest {
                grant: Signed::sign(grant, &random()),
                ..good
            }
        }
        Bad::Swapped => {
            let scalar = named.drill_shares[&who].to_bytes();
            DrillRequest {
                sealed: Some(at.sealed(real.index(), &*scalar)),
                ..good
            }
        }
        Bad::Stranger => {
            let stranger = index(250);
            let possession = DrillPossession {
                index: stranger,
                ..at.possession(real)
            };
            let possession = Signed::sign(possession, &real.signing_key());
            let scalar = named.drill_shares[&who].to_bytes();
            let sealed = at.sealed(stranger, &*scalar);
            DrillRequest {
                grant: Signed::sign(at.grant(possession, Some(&sealed)), &by.signing),
                sealed: Some(sealed),
            }
        }
    }
}
