//! The fuzz target `share-rows`.
#![cfg_attr(fuzzing, no_main)]
quorate_fuzz::target!("share-rows");
