//! What the server says: prompts by name and language, each with its version, a tenant's own before the common ones.

use std::{collections::BTreeMap, sync::Arc};

use ringback_media::Pcm8k;
use ringback_routing::{ids::TenantId, output::PromptName};

/// One spoken text or piece of music, ready to be sent.
#[derive(Debug, Clone)]
pub struct Prompt {
    /// Kept with the attempt that heard it.
    pub version: String,
    /// 8 kHz mono.
    pub samples: Arc<Pcm8k>,
}

/// All prompts of the installation.
#[derive(Debug, Clone, Default)]
pub struct PromptLibrary {
    prompts: BTreeMap<(Option<TenantId>, PromptName, String), Prompt>,
    /// What a tenant's administrators brought in; before all others.
    brought: BTreeMap<TenantId, BTreeMap<(PromptName, String), Prompt>>,
}

impl PromptLibrary {
    /// `tenant`: None for everybody. `language`: a BCP 47 tag, or empty for what has no words.
    pub fn insert(&mut self, tenant: Option<TenantId>, name: PromptName, language: &str, prompt: Prompt) {
        self.prompts.insert((tenant, name, language.to_ascii_lowercase()), prompt);
    }

    /// What a tenant's administrators brought in, in place of what they had before.
    pub fn set_brought(&mut self, tenant: TenantId, prompts: Vec<(PromptName, String, Prompt)>) {
        let by_place =
            prompts.into_iter().map(|(name, language, prompt)| ((name, language.to_ascii_lowercase()), prompt));
        self.brought.insert(tenant, by_place.collect());
    }

    /// As [`PromptLibrary::insert`], from the bytes of an 8 kHz mono WAV.
    ///
    /// # Errors
    /// In words, when it is none.
    pub fn insert_wav(
        &mut self,
        tenant: Option<TenantId>,
        name: PromptName,
        language: &str,
        version: &str,
        wav: &[u8],
    ) -> Result<(), String> {
        let (rate, channels, samples) = ringback_recorder::wav::decode(wav).map_err(|error| error.to_string())?;
        if (rate, channels) != (8000, 1) {
            return Err(format!("{rate} Hz with {channels} channel(s); 8000 Hz mono is needed"));
        }
        self.insert(tenant, name, language, Prompt { version: version.to_owned(), samples: Arc::new(Pcm8k(samples)) });
        Ok(())
    }

    /// The tenant's own before the common; the language asked for, then its primary tag, then English, then wordless.
    pub fn find(&self, tenant: &TenantId, name: PromptName, language: &str) -> Option<&Prompt> {
        let asked = language.to_ascii_lowercase();
        let primary = asked.split('-').next().unwrap_or_default().to_owned();
        let brought = self.brought.get(tenant);
        [asked, primary, "en".to_owned(), String::new()].into_iter().find_map(|language| {
            brought
                .and_then(|own| own.get(&(name, language.clone())))
                .or_else(|| self.prompts.get(&(Some(tenant.clone()), name, language.clone())))
                .or_else(|| self.prompts.get(&(None, name, language)))
        })
    }

    /// Several texts in a row; what there is no prompt for is left out. None when nothing is left.
    pub fn sentence(&self, tenant: &TenantId, words: &[PromptName], language: &str) -> Option<Pcm8k> {
        let found: Vec<_> = words.iter().filter_map(|word| self.find(tenant, *word, language)).collect();
        let samples: Vec<i16> = found.iter().flat_map(|prompt| prompt.samples.0.iter().copied()).collect();
        (!found.is_empty()).then_some(Pcm8k(samples))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prompt(version: &str) -> Prompt {
        Prompt { version: version.to_owned(), samples: Arc::new(Pcm8k(vec![0; 8])) }
    }

    #[test]
    fn the_nearest_language_and_the_tenants_own_win() {
        let (mut library, tenant) = (PromptLibrary::default(), TenantId::new("t"));
        let name = PromptName::Announcement;
        library.insert(None, name, "en", prompt("common en"));
        library.insert(None, name, "es", prompt("common es"));
        library.insert(Some(tenant.clone()), name, "en", prompt("own en"));
        let found = |language| library.find(&tenant, name, language).map(|prompt| prompt.version.clone());
        assert_eq!(found("en-US").as_deref(), Some("own en"));
        assert_eq!(found("es-MX").as_deref(), Some("common es"));
        assert_eq!(found("fr").as_deref(), Some("own en"));
        assert!(library.find(&tenant, PromptName::HoldMusic, "en").is_none());
        library.set_brought(tenant.clone(), vec![(name, "es".to_owned(), prompt("brought es"))]);
        let version =
            |library: &PromptLibrary, language| library.find(&tenant, name, language).unwrap().version.clone();
        assert_eq!((version(&library, "es"), version(&library, "en")), ("brought es".to_owned(), "own en".to_owned()));
        library.set_brought(tenant.clone(), Vec::new());
        assert_eq!(version(&library, "es"), "common es");
    }
}
