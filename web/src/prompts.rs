//! The prompts that come with the server, and a tenant's own in their place.

use std::{path::Path, sync::Arc};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use ringback_engine::{Prompt, PromptLibrary, sound::Pcm8k};
use ringback_routing::{ids::TenantId, output::PromptName};
use ringback_store::{Store, StoreError};

use crate::settings::OwnPrompt;

/// Raised with the texts in `web/prompts/texts.toml`: it is kept with every announcement a customer heard.
const VERSION: &str = "1";

/// Every prompt that is spoken, with its file's name.
const SPOKEN: [(PromptName, &str); 30] = [
    (PromptName::Announcement, "announcement"),
    (PromptName::PressOne, "press_one"),
    (PromptName::PleaseHold, "please_hold"),
    (PromptName::AgentLost, "agent_lost"),
    (PromptName::Goodbye, "goodbye"),
    (PromptName::Greeting, "greeting"),
    (PromptName::Closed, "closed"),
    (PromptName::Closure, "closure"),
    (PromptName::StayOnLine, "stay_on_line"),
    (PromptName::Menu, "menu"),
    (PromptName::MenuWrong, "menu_wrong"),
    (PromptName::Position, "position"),
    (PromptName::NextInLine, "next_in_line"),
    (PromptName::ExpectedWait, "expected_wait"),
    (PromptName::CallbackOffer, "callback_offer"),
    (PromptName::CallbackKept, "callback_kept"),
    (PromptName::EnterCode, "enter_code"),
    (PromptName::CodeWrong, "code_wrong"),
    (PromptName::CodeFailed, "code_failed"),
    (PromptName::ShortCode, "short_code"),
    (PromptName::Digit(0), "digits_0"),
    (PromptName::Digit(1), "digits_1"),
    (PromptName::Digit(2), "digits_2"),
    (PromptName::Digit(3), "digits_3"),
    (PromptName::Digit(4), "digits_4"),
    (PromptName::Digit(5), "digits_5"),
    (PromptName::Digit(6), "digits_6"),
    (PromptName::Digit(7), "digits_7"),
    (PromptName::Digit(8), "digits_8"),
    (PromptName::Digit(9), "digits_9"),
];

macro_rules! built_in {
    ($($name:ident $(($digit:literal))? $language:literal $file:literal)*) => {
        &[$((PromptName::$name $(($digit))?, $language, include_bytes!(concat!("../prompts/", $file)).as_slice())),*]
    };
}

const BUILT_IN: &[(PromptName, &str, &[u8])] = built_in! {
    Announcement "en" "en/announcement.wav"
    Announcement "es" "es/announcement.wav"
    PressOne "en" "en/press_one.wav"
    PressOne "es" "es/press_one.wav"
    PleaseHold "en" "en/please_hold.wav"
    PleaseHold "es" "es/please_hold.wav"
    AgentLost "en" "en/agent_lost.wav"
    AgentLost "es" "es/agent_lost.wav"
    Goodbye "en" "en/goodbye.wav"
    Goodbye "es" "es/goodbye.wav"
    Greeting "en" "en/greeting.wav"
    Greeting "es" "es/greeting.wav"
    Closed "en" "en/closed.wav"
    Closed "es" "es/closed.wav"
    Closure "en" "en/closure.wav"
    Closure "es" "es/closure.wav"
    StayOnLine "en" "en/stay_on_line.wav"
    StayOnLine "es" "es/stay_on_line.wav"
    Menu "en" "en/menu.wav"
    Menu "es" "es/menu.wav"
    MenuWrong "en" "en/menu_wrong.wav"
    MenuWrong "es" "es/menu_wrong.wav"
    Position "en" "en/position.wav"
    Position "es" "es/position.wav"
    NextInLine "en" "en/next_in_line.wav"
    NextInLine "es" "es/next_in_line.wav"
    ExpectedWait "en" "en/expected_wait.wav"
    ExpectedWait "es" "es/expected_wait.wav"
    CallbackOffer "en" "en/callback_offer.wav"
    CallbackOffer "es" "es/callback_offer.wav"
    CallbackKept "en" "en/callback_kept.wav"
    CallbackKept "es" "es/callback_kept.wav"
    EnterCode "en" "en/enter_code.wav"
    EnterCode "es" "es/enter_code.wav"
    CodeWrong "en" "en/code_wrong.wav"
    CodeWrong "es" "es/code_wrong.wav"
    CodeFailed "en" "en/code_failed.wav"
    CodeFailed "es" "es/code_failed.wav"
    ShortCode "en" "en/short_code.wav"
    ShortCode "es" "es/short_code.wav"
    Digit(0) "en" "en/digits_0.wav"
    Digit(0) "es" "es/digits_0.wav"
    Digit(1) "en" "en/digits_1.wav"
    Digit(1) "es" "es/digits_1.wav"
    Digit(2) "en" "en/digits_2.wav"
    Digit(2) "es" "es/digits_2.wav"
    Digit(3) "en" "en/digits_3.wav"
    Digit(3) "es" "es/digits_3.wav"
    Digit(4) "en" "en/digits_4.wav"
    Digit(4) "es" "es/digits_4.wav"
    Digit(5) "en" "en/digits_5.wav"
    Digit(5) "es" "es/digits_5.wav"
    Digit(6) "en" "en/digits_6.wav"
    Digit(6) "es" "es/digits_6.wav"
    Digit(7) "en" "en/digits_7.wav"
    Digit(7) "es" "es/digits_7.wav"
    Digit(8) "en" "en/digits_8.wav"
    Digit(8) "es" "es/digits_8.wav"
    Digit(9) "en" "en/digits_9.wav"
    Digit(9) "es" "es/digits_9.wav"
    HoldMusic "" "hold_music.wav"
    Ringback "" "ringback.wav"
};

/// The prompt of that file name.
pub fn name_of(word: &str) -> Option<PromptName> {
    match word {
        "hold_music" => Some(PromptName::HoldMusic),
        _ => SPOKEN.into_iter().find(|(_, file)| *file == word).map(|(name, _)| name),
    }
}

/// Samples as the ledger keeps them.
pub fn to_text(pcm: &[u8]) -> String {
    STANDARD.encode(pcm)
}

pub fn from_text(text: &str) -> Option<Vec<i16>> {
    let bytes = STANDARD.decode(text).ok()?;
    Some(bytes.chunks_exact(2).filter_map(|pair| Some(i16::from_le_bytes(pair.try_into().ok()?))).collect())
}

/// What a tenant's administrators brought in, ready to be played; a sound that is not there leaves the common prompt in force.
pub async fn brought(
    store: &Store,
    tenant: &TenantId,
    own: &[OwnPrompt],
) -> Result<Vec<(PromptName, String, Prompt)>, StoreError> {
    let mut ready = Vec::with_capacity(own.len());
    for prompt in own {
        let Some((name, language)) = prompt.place() else { continue };
        let Some(samples) = store.sound(tenant, &prompt.sound).await?.as_deref().and_then(from_text) else {
            tracing::warn!(%tenant, prompt = prompt.id, "the sound of a prompt is not there; the common one is played");
            continue;
        };
        let sound = Prompt { version: prompt.sound.clone(), samples: Arc::new(Pcm8k(samples)) };
        ready.push((name, language.to_owned(), sound));
    }
    Ok(ready)
}

/// The prompts everybody has.
pub fn built_in() -> Result<PromptLibrary, String> {
    let mut library = PromptLibrary::default();
    for (name, language, wav) in BUILT_IN {
        library.insert_wav(None, *name, language, VERSION, wav)?;
    }
    Ok(library)
}

/// A tenant's own: `<folder>/<language>/<prompt>.wav`, and `hold_music.wav` beside the languages. Their version is the
/// digest of the sound, so that it changes with it.
pub fn add_own(
    library: &mut PromptLibrary,
    tenant: &TenantId,
    folder: &Path,
    languages: &[String],
) -> Result<(), String> {
    for language in languages {
        for (name, file) in SPOKEN {
            add(library, tenant, name, language, &folder.join(language).join(format!("{file}.wav")))?;
        }
    }
    add(library, tenant, PromptName::HoldMusic, "", &folder.join("hold_music.wav"))
}

/// A file that is not there leaves the common prompt in force.
fn add(
    library: &mut PromptLibrary,
    tenant: &TenantId,
    name: PromptName,
    language: &str,
    file: &Path,
) -> Result<(), String> {
    let wav = match std::fs::read(file) {
        Ok(wav) => wav,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(format!("{}: {error}", file.display())),
    };
    let digest = crate::token::hex(&<sha2::Sha256 as sha2::Digest>::digest(&wav)[..8]);
    library
        .insert_wav(Some(tenant.clone()), name, language, &digest, &wav)
        .map_err(|error| format!("{}: {error}", file.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_that_is_said_is_there_in_both_languages() {
        let library = built_in().unwrap();
        let tenant = TenantId::new("any");
        for (name, _) in SPOKEN {
            for language in ["en", "es"] {
                assert!(
                    library.find(&tenant, name, language).is_some_and(|prompt| prompt.samples.0.len() > 2000),
                    "{name:?}"
                );
            }
        }
        assert!(library.find(&tenant, PromptName::HoldMusic, "es").is_some());
        assert!(library.find(&tenant, PromptName::Ringback, "en").is_some());
    }

    #[test]
    fn a_tenants_own_prompt_is_taken_and_a_bad_one_is_named() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("en")).unwrap();
        let file = folder.path().join("en/goodbye.wav");
        std::fs::write(&file, include_bytes!("../prompts/en/please_hold.wav")).unwrap();
        let (mut library, tenant) = (built_in().unwrap(), TenantId::new("t"));
        let common = library.find(&tenant, PromptName::Goodbye, "en").unwrap().samples.0.len();
        add_own(&mut library, &tenant, folder.path(), &["en".into(), "es".into()]).unwrap();
        let own = library.find(&tenant, PromptName::Goodbye, "en").unwrap();
        assert_ne!(own.samples.0.len(), common);
        assert_eq!(own.version.len(), 16);
        std::fs::write(&file, b"no sound").unwrap();
        let error = add_own(&mut library, &tenant, folder.path(), &["en".into()]).unwrap_err();
        assert!(error.contains("goodbye.wav"), "{error}");
    }
}
