//! A tenant's own prompts: which of its sounds is played in place of what comes with the server.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Around, is_name, lists::Entry};
use crate::prompts;

/// One prompt in one language.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct OwnPrompt {
    /// Prompt and language: `greeting-en`; of `hold_music`, which has no words, `hold_music`.
    pub id: String,
    /// Of a sound that was brought in.
    pub sound: String,
    /// What the file was called, for people.
    pub file: String,
}

impl OwnPrompt {
    /// Prompt and language, as the library knows them.
    pub fn place(&self) -> Option<(ringback_routing::output::PromptName, &str)> {
        let (word, language) = self.id.split_once('-').unwrap_or((&self.id, ""));
        prompts::name_of(word).map(|name| (name, language))
    }
}

impl Entry for OwnPrompt {
    fn key(&self) -> &str {
        &self.id
    }

    fn fault(&self, around: &Around<'_>) -> Option<&'static str> {
        let spoken = |language: &str| around.languages.contains(language);
        let known = self.place().is_some_and(|(name, language)| match name {
            ringback_routing::output::PromptName::HoldMusic => language.is_empty(),
            _ => spoken(language),
        });
        if !known {
            return Some("id");
        }
        if !is_name(&self.file) {
            return Some("file");
        }
        let digest = self.sound.len() == 32 && self.sound.bytes().all(|byte| byte.is_ascii_hexdigit());
        (!digest).then_some("sound")
    }
}
