//! The fault `lost-token`: a member's keys are in a token, and it is gone when the share is to be given.
//!
//! Guarantees: the token is one of SoftHSM, made for this rehearsal and removed with it; whether
//! SoftHSM is there is seen before anything begins. From `join` on the member does every step with the
//! token, as anybody does who has one. After the loss nobody uses its keys again, this program neither.
//!
//! Does not: reshare afterwards. What gives that member a seat again is in the book.

use super::Rehearsal;
use super::arguments::Rehearse;
use super::fault::Fault;
use super::injection::{VICTIM, socket};
use crate::failure::Failure;
use crate::stage::children::EnclaveSockets;
use crate::stage::token::SoftHsm;

/// Who brings a token, and what makes it.
pub(super) struct Holder {
    at: usize,
    softhsm: SoftHsm,
}

impl Holder {
    /// Chooses them, if a token is to be lost: the last whose share is needed, so that it is missed.
    ///
    /// # Errors
    /// If there is no SoftHSM, or nobody else for what happens to members besides.
    pub(super) fn choose(rehearse: &Rehearse) -> Result<Option<Self>, Failure> {
        let faults = rehearse.faults();
        match (faults.contains(&Fault::LostToken), &rehearse.module) {
            (true, _) => {}
            (false, None) => return Ok(None),
            (false, Some(_)) => {
                return Err(Failure::usage(
                    "usage",
                    "--module is for a lost token, and none is to be lost",
                    "add --fault lost-token, or leave --module out",
                ));
            }
        }
        let at = place(rehearse.members, rehearse.threshold, &faults)?;
        let softhsm = SoftHsm::find(rehearse.module.as_deref())?;
        Ok(Some(Self { at, softhsm }))
    }
}

/// The place of whoever brings the token. Never the first, whose seat somebody may have taken, and who
/// signs the transcript.
fn place(members: u8, threshold: u8, faults: &[Fault]) -> Result<usize, Failure> {
    let last = usize::from(threshold).saturating_sub(1).max(VICTIM);
    let other = faults.iter().find(|fault| fault.takes_another_member());
    match other {
        Some(_) if last != VICTIM => Ok(last),
        Some(_) if usize::from(members) > VICTIM.saturating_add(1) => Ok(VICTIM.saturating_add(1)),
        Some(other) => Err(Failure::usage(
            "too-few-members",
            format!(
                "lost-token and {} happen to two members besides the first, and there are {members} \
                 in all",
                other.word()
            ),
            "give --members 3 or more, or rehearse lost-token alone",
        )),
        None => Ok(last),
    }
}

impl Rehearsal {
    /// The member who will lose a token brings one.
    pub(super) fn bring_token(&mut self) -> Result<(), Failure> {
        let Some(Holder { at, softhsm }) = &self.holder else {
            return Ok(());
        };
        let Self { stage, party, .. } = self;
        let name = party.person(*at)?.name.clone();
        let who = format!("{name} brings a token of SoftHSM, made for this rehearsal");
        let token = stage.step("token", &who, |stage| {
            softhsm.make(&stage.quorate, stage.workshop.join("token"), &name)
        })?;
        party.bring(*at, token);
        Ok(())
    }

    /// The token is gone when its owner wants to give. Others give, if there are enough.
    pub(super) fn lost_token(&mut self, enclave: &EnclaveSockets) -> Result<(), Failure> {
        let Some(at) = self.holder.as_ref().map(|holder| holder.at) else {
            return Ok(());
        };
        self.give_first(1, enclave)?;
        self.inject(Fault::LostToken, at, |stage, party| {
            let person = party.person(at)?;
            person.token()?.lose()?;
            party.act(stage, person, "provision", socket(enclave))
        })?;
        self.lost = Some(at);
        let group = self.group();
        let enough = group.len() == usize::from(self.party.threshold);
        self.stood_in(group.last().copied().filter(|_| enough))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_token_is_of_somebody_whose_share_is_needed() {
        let alone = [Fault::LostToken];
        for (members, threshold, at) in [(5, 3, 2), (3, 3, 2), (3, 2, 1), (2, 2, 1), (16, 16, 15)] {
            assert_eq!(
                place(members, threshold, &alone),
                Ok(at),
                "{threshold} of {members}"
            );
        }
    }

    #[test]
    fn nobody_loses_a_token_and_a_key_file() {
        for (members, threshold, at) in [(5, 3, 2), (3, 3, 2), (3, 2, 2), (16, 2, 2)] {
            let found = place(members, threshold, &Fault::ALL);
            assert_eq!(found, Ok(at), "{threshold} of {members}");
        }
        // Whoever is led to another enclave may have a token.
        let led = [Fault::OtherPcr, Fault::LostToken];
        assert_eq!(place(2, 2, &led), Ok(VICTIM));
    }

    #[test]
    fn more_faults_than_members_fails_closed() {
        for fault in Fault::ALL
            .into_iter()
            .filter(|fault| fault.takes_another_member())
        {
            let refused = place(2, 2, &[fault, Fault::LostToken]).expect_err("two members");
            assert_eq!(
                (&*refused.code, refused.exit().code()),
                ("too-few-members", 2)
            );
            assert!(refused.what.contains(fault.word()), "{}", refused.what);
            assert_eq!(place(3, 2, &[fault, Fault::LostToken]), Ok(2));
        }
    }
}
