//! Broken configuration files: each is read or refused with the lines and keys that are wrong, whatever it is.

use ringback_tests::fuzz::{kind_of, run};

use super::ServerConfig;

const EXAMPLE: &str = include_str!("../../../docs/ringback.example.toml");

const WORDS: &[&[u8]] = &[
    b"[[tenant]]\n",
    b"[server]\n",
    b"[tenant.callback]\n",
    b"[[tenant.hours]]\n",
    b"[[trunk]]\n",
    b"id = \"x\"\n",
    b"\"\"\"",
    b"'''",
    b"{ ",
    b" }",
    b"[",
    b"]",
    b"= ",
    b"\"",
    b"true",
    b"1979-05-27T07:32:00Z",
    b"0x",
    b"inf",
    b"nan",
    b"\\u0000",
    b"\"sqlite:///\"",
    b"\"24:00\"",
    b"\"00:00\"",
    b"\"2026-02-30\"",
    b"\"UTC\"",
    b"[\"sun\"]",
];

#[test]
fn fuzz_configuration_files() {
    let seeds = [EXAMPLE.as_bytes().to_vec(), include_bytes!("../demo/demo.toml").to_vec()];
    let report = run("configuration", &seeds, WORDS, |input| {
        let text = String::from_utf8_lossy(input);
        match ServerConfig::parse(&text) {
            Ok(config) => {
                assert!(!config.redacted().contains("replace-this-by"), "no secret is shown");
                kind_of("good")
            }
            Err(problems) => {
                assert!(!problems.is_empty(), "a refusal says why");
                let lines = text.lines().count().max(1);
                let words: Vec<String> = problems.iter().map(ToString::to_string).collect();
                for problem in &problems {
                    assert!(problem.line <= lines + 1, "{words:?} of {lines} lines");
                }
                kind_of(words.first().map(|word| word.chars().filter(|c| c.is_alphabetic()).collect::<String>()))
            }
        }
    });
    assert_eq!(report.broken_by.map(|input| input.escape_ascii().to_string()), None, "{} inputs", report.inputs);
}
