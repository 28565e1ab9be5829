//! Mistakes people make, one file each under `tests/cmd/`: the arguments, the exact words they are
//! answered with, and the exit code. `TRYCMD=dump` writes what a command says now to `dump/`.

#[test]
fn every_mistake_is_answered_as_written() {
    trycmd::TestCases::new()
        .default_bin_name("quorate")
        .env("NO_COLOR", "1")
        .env("COLUMNS", "100")
        .env("QUORATE_BINARIES", "no-binaries-here")
        .case("tests/cmd/*.toml")
        .run();
}
