//! What a member is asked who has verified an enclave. The same over a socket and by carried files.

use quorate_quorum_ceremony::steps::{provision, receipt};

use super::report::Report;
use super::screen::{self, Question};

/// To give a share to the instance that was verified.
pub(super) fn instance<'a, V>(
    step: &'a provision::Verified<V>,
    review: &'a Report,
) -> Question<'a> {
    let facts = &step.setup().facts;
    let action = "give your share to this enclave";
    Question::of(review, action, &facts.document.0).attested(
        step.looked(),
        facts,
        "it runs what was approved, and only it can open what you give",
        screen::INSTANCE,
    )
}

/// To sign for the genesis that was verified.
pub(super) fn genesis<'a>(step: &'a receipt::Review, review: &'a Report) -> Question<'a> {
    let genesis = step.genesis();
    let action = "sign that you have verified this genesis";
    Question::of(review, action, genesis.as_bytes()).attested(
        step.looked(),
        step.facts(),
        "it made the key under the definition you signed",
        screen::GENESIS,
    )
}
