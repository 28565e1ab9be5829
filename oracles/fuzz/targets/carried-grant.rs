//! The fuzz target `carried-grant`.
#![cfg_attr(fuzzing, no_main)]
quorate_fuzz::target!("carried-grant");
