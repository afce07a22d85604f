//! Results do not depend on the number of threads.

use std::process::Command;

use iota_trainer::{Dataset, Precision, Stage};

use crate::pipeline::{STAGES, config, stages, step};

/// How a process of this test binary is told its number of threads.
const THREADS: &str = "IOTA_TRAINER_TEST_THREADS";
const CONTEXT: u32 = 64;

#[test]
fn one_thread_two_and_four_compute_the_same_bits() {
    if let Ok(threads) = std::env::var(THREADS) {
        iota_trainer::use_threads(threads.parse().unwrap());
        println!("state {}", hex(&trained()));
        return;
    }
    let run = |threads: &str| {
        let output = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "--nocapture"])
            .arg("threads::one_thread_two_and_four_compute_the_same_bits")
            .env(THREADS, threads)
            .output()
            .unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let state = text.lines().find_map(|line| line.split_once("state ")).unwrap().1;
        state.to_owned()
    };
    let one = run("1");
    assert_eq!(one, run("2"));
    assert_eq!(one, run("4"));
}

fn trained() -> Vec<u8> {
    let data = Dataset::embedded(CONTEXT).unwrap();
    let mut half: Vec<Stage> = (0..STAGES)
        .map(|index| {
            let mut config = config(index, CONTEXT, 12, 8);
            config.model.precision = Precision::Bf16;
            config.adam.muon = true;
            (config.cut.token_width, config.cut.token_span) = (8, 4);
            Stage::new(&config).unwrap()
        })
        .collect();
    let mut all = stages(CONTEXT, 12, 8);
    for number in 0..6 {
        step(&mut all, &data, number);
        step(&mut half, &data, number);
    }
    all.iter().chain(&half).flat_map(Stage::snapshot).collect()
}

/// A short name of many bytes: their BLAKE3.
fn hex(bytes: &[u8]) -> String {
    blake3::hash(bytes).to_hex().to_string()
}
