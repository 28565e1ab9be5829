//! The fuzz target `share-grant`.
#![cfg_attr(fuzzing, no_main)]
quorate_fuzz::target!("share-grant");
