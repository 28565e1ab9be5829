//! The fuzz target `nsm-response`.
#![cfg_attr(fuzzing, no_main)]
quorate_fuzz::target!("nsm-response");
