//! Lists that administrators keep: queues, subjects with their ladders, codes, and prepared answers. Who stands first in a
//! list of subjects is the one that is meant when none is named.

use std::collections::{BTreeMap, BTreeSet};

use ringback_routing::{
    config::{Disposition, Overflow, Priorities, QueueConfig, SubjectConfig, Target},
    ids::{DispositionId, QueueId, ReasonCode, SkillId, SubjectId},
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Around, is_name, seconds, secs};
use crate::config::{
    subject::is_outside,
    tenant::{CannedTable, FaqTable},
};

/// Entries of one list: more than anybody finds anything in.
const MOST_ENTRIES: usize = 200;
/// Skills of one step of a ladder.
const MOST_SKILLS: usize = 20;
/// Longest id, in letters.
const MAX_ID: usize = 40;
/// Longest question of the FAQ and longest answer, in letters.
const MAX_QUESTION: usize = 300;
const MAX_ANSWER: usize = 5_000;
/// Longest time at one step of a ladder: a day.
const MAX_STEP: u32 = 86_400;

/// An entry of a list.
pub trait Entry: Serialize {
    /// What tells it apart from the others of its list.
    fn key(&self) -> &str;
    /// The field that cannot be kept as it is.
    fn fault(&self, around: &Around<'_>) -> Option<&'static str>;
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Queue {
    /// 1 to 40 letters, without `.` and `/`; the pages make it of the name.
    pub id: String,
    pub name: String,
}

/// What a contact can be about.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Subject {
    pub id: String,
    pub name: String,
    pub queue: String,
    /// Who may take it, each after the last for those still waiting (G9); none: everybody of the queue.
    #[serde(default)]
    pub targets: Vec<Step>,
    /// Lower is sooner: at first, after the first step of the ladder, after a missed offer (G8).
    pub initial: u8,
    pub overflow: u8,
    pub rona: u8,
    /// E.164: where callers go whom nobody took at the last step (G9); none: they wait on.
    #[serde(default)]
    pub outside: Option<String>,
    /// In line at the last step for so long first, and between tries.
    #[serde(default = "a_minute")]
    pub outside_seconds: u32,
}

fn a_minute() -> u32 {
    60
}

/// One step of a ladder.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// Every skill an agent needs, with its least level of 1 to 10.
    pub skills: BTreeMap<String, u8>,
    /// In line at this step for so long, then the next is open too; of the last it says nothing.
    #[serde(default)]
    pub seconds: u32,
}

/// A language whose customers need agents with a skill.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LanguageSkill {
    /// BCP 47, like `es`.
    pub language: String,
    pub skill: String,
    /// Least level, 1 to 10.
    pub level: u8,
}

/// Why an agent is not ready.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Code {
    pub id: String,
}

/// What can come of a contact.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NamedCode {
    pub id: String,
    pub name: String,
    /// Agents no longer find it; records that have it keep its name.
    #[serde(default)]
    pub retired: bool,
}

/// An answer that agents insert by typing `/` and the word. It may hold `{name}`, `{agent}`, `{county}` and `{phone}`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Canned {
    pub word: String,
    pub text: String,
    #[serde(default)]
    pub language: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Question {
    pub question: String,
    pub answer: String,
    /// Customers read it on the chat page too (E13).
    #[serde(default)]
    pub public: bool,
    #[serde(default)]
    pub language: Option<String>,
}

/// The first entry of a list that cannot be kept: `queues.2.name`, counted from 0.
pub(super) fn fault<E: Entry>(list: &str, entries: &[E], around: &Around<'_>) -> Option<String> {
    if entries.len() > MOST_ENTRIES {
        return Some(list.to_owned());
    }
    let mut seen = BTreeSet::new();
    entries.iter().enumerate().find_map(|(at, entry)| {
        let twice = (!seen.insert(entry.key())).then_some("twice");
        entry.fault(around).or(twice).map(|field| format!("{list}.{at}.{field}"))
    })
}

/// What stands in files and reports; the pages make one of a name.
fn is_id(id: &str) -> bool {
    let fits = |letter: char| !letter.is_control() && letter != '.' && letter != '/';
    (1..=MAX_ID).contains(&id.chars().count()) && id.trim() == id && id.chars().all(fits)
}

fn is_level(level: u8) -> bool {
    (1..=10).contains(&level)
}

fn is_text(text: &str, most: usize) -> bool {
    !text.trim().is_empty() && text.chars().count() <= most
}

fn id_and_name(id: &str, name: &str) -> Option<&'static str> {
    if !is_name(name) {
        return Some("name");
    }
    (!is_id(id)).then_some("id")
}

/// A language tag, as far as one can be told without the registry.
pub(super) fn is_language(tag: &str) -> bool {
    let fits = |part: &str| (1..=8).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_alphanumeric());
    (2..=35).contains(&tag.len()) && tag.split('-').all(fits)
}

impl Entry for Queue {
    fn key(&self) -> &str {
        &self.id
    }
    fn fault(&self, _: &Around<'_>) -> Option<&'static str> {
        id_and_name(&self.id, &self.name)
    }
}

impl Entry for Subject {
    fn key(&self) -> &str {
        &self.id
    }
    fn fault(&self, around: &Around<'_>) -> Option<&'static str> {
        if let Some(field) = id_and_name(&self.id, &self.name) {
            return Some(field);
        }
        if !around.queues.contains(self.queue.as_str()) {
            return Some("queue");
        }
        if self.outside.as_ref().is_some_and(|number| !is_outside(number)) {
            return Some("outside");
        }
        if !(1..=MAX_STEP).contains(&self.outside_seconds) {
            return Some("outside_seconds");
        }
        let last = self.targets.len().saturating_sub(1);
        let odd = |(at, step): (usize, &Step)| {
            let skills = step.skills.iter();
            let timed = at == last || (1..=MAX_STEP).contains(&step.seconds);
            !timed
                || step.skills.len() > MOST_SKILLS
                || !skills.clone().all(|(id, level)| is_id(id) && is_level(*level))
        };
        let odd = self.targets.len() > around.most_targets || self.targets.iter().enumerate().any(odd);
        odd.then_some("targets")
    }
}

impl Entry for LanguageSkill {
    fn key(&self) -> &str {
        &self.language
    }
    fn fault(&self, _: &Around<'_>) -> Option<&'static str> {
        if !is_language(&self.language) {
            return Some("language");
        }
        if !is_id(&self.skill) {
            return Some("skill");
        }
        (!is_level(self.level)).then_some("level")
    }
}

impl Entry for Code {
    fn key(&self) -> &str {
        &self.id
    }
    fn fault(&self, _: &Around<'_>) -> Option<&'static str> {
        (!is_id(&self.id)).then_some("id")
    }
}

impl Entry for NamedCode {
    fn key(&self) -> &str {
        &self.id
    }
    fn fault(&self, _: &Around<'_>) -> Option<&'static str> {
        id_and_name(&self.id, &self.name)
    }
}

impl Entry for Canned {
    fn key(&self) -> &str {
        &self.word
    }
    fn fault(&self, around: &Around<'_>) -> Option<&'static str> {
        let plain = |letter: char| letter.is_alphanumeric() || letter == '-' || letter == '_';
        if !is_text(&self.word, MAX_ID) || !self.word.chars().all(plain) {
            return Some("word");
        }
        if !is_text(&self.text, around.agent_chars) {
            return Some("text");
        }
        self.language.as_ref().is_some_and(|tag| !is_language(tag)).then_some("language")
    }
}

impl Entry for Question {
    fn key(&self) -> &str {
        &self.question
    }
    fn fault(&self, _: &Around<'_>) -> Option<&'static str> {
        if !is_text(&self.question, MAX_QUESTION) {
            return Some("question");
        }
        if !is_text(&self.answer, MAX_ANSWER) {
            return Some("answer");
        }
        self.language.as_ref().is_some_and(|tag| !is_language(tag)).then_some("language")
    }
}

impl From<&QueueConfig> for Queue {
    fn from(queue: &QueueConfig) -> Self {
        Self { id: queue.id.to_string(), name: queue.name.clone() }
    }
}

impl From<&Queue> for QueueConfig {
    fn from(queue: &Queue) -> Self {
        Self { id: QueueId::new(&queue.id), name: queue.name.clone() }
    }
}

impl From<&SubjectConfig> for Subject {
    fn from(subject: &SubjectConfig) -> Self {
        let step = |target: &Target| Step {
            skills: target.skills.iter().map(|(skill, level)| (skill.to_string(), *level)).collect(),
            seconds: seconds(target.timeout),
        };
        Self {
            id: subject.id.to_string(),
            name: subject.name.clone(),
            queue: subject.queue.to_string(),
            targets: subject.targets.iter().map(step).collect(),
            initial: subject.priorities.initial,
            overflow: subject.priorities.overflow,
            rona: subject.priorities.rona,
            outside: subject.overflow.as_ref().map(|overflow| overflow.number.clone()),
            outside_seconds: subject.overflow.as_ref().map_or_else(a_minute, |overflow| seconds(overflow.timeout)),
        }
    }
}

impl From<&Subject> for SubjectConfig {
    fn from(subject: &Subject) -> Self {
        let target = |step: &Step| Target {
            skills: step.skills.iter().map(|(skill, level)| (SkillId::new(skill), *level)).collect(),
            timeout: secs(step.seconds),
        };
        let Subject { initial, overflow, rona, .. } = *subject;
        Self {
            id: SubjectId::new(&subject.id),
            name: subject.name.clone(),
            queue: QueueId::new(&subject.queue),
            targets: subject.targets.iter().map(target).collect(),
            priorities: Priorities { initial, overflow, rona },
            overflow: subject.outside.clone().map(|number| Overflow { number, timeout: secs(subject.outside_seconds) }),
        }
    }
}

impl From<&ReasonCode> for Code {
    fn from(code: &ReasonCode) -> Self {
        Self { id: code.to_string() }
    }
}

impl NamedCode {
    pub(super) fn of(code: &Disposition, retired: &BTreeSet<String>) -> Self {
        let id = code.id.to_string();
        Self { retired: retired.contains(&id), id, name: code.name.clone() }
    }
}

impl From<&NamedCode> for Disposition {
    fn from(code: &NamedCode) -> Self {
        Self { id: DispositionId::new(&code.id), name: code.name.clone() }
    }
}

impl From<&CannedTable> for Canned {
    fn from(canned: &CannedTable) -> Self {
        let CannedTable { word, text, language } = canned.clone();
        Self { word, text, language }
    }
}

impl From<&Canned> for CannedTable {
    fn from(canned: &Canned) -> Self {
        let Canned { word, text, language } = canned.clone();
        Self { word, text, language }
    }
}

impl From<&FaqTable> for Question {
    fn from(faq: &FaqTable) -> Self {
        let FaqTable { question, answer, public, language } = faq.clone();
        Self { question, answer, public, language }
    }
}

impl From<&Question> for FaqTable {
    fn from(faq: &Question) -> Self {
        let Question { question, answer, public, language } = faq.clone();
        Self { question, answer, public, language }
    }
}

pub(super) fn language_skills(of: &BTreeMap<String, (SkillId, u8)>) -> Vec<LanguageSkill> {
    let one = |(language, (skill, level)): (&String, &(SkillId, u8))| LanguageSkill {
        language: language.clone(),
        skill: skill.to_string(),
        level: *level,
    };
    of.iter().map(one).collect()
}

pub(super) fn skills_by_language(of: &[LanguageSkill]) -> BTreeMap<String, (SkillId, u8)> {
    of.iter().map(|one| (one.language.clone(), (SkillId::new(&one.skill), one.level))).collect()
}

#[cfg(test)]
mod tests {
    use ringback_routing::time::Millis;

    use super::*;

    #[test]
    fn a_step_is_the_same_there_and_back() {
        let subject = SubjectConfig {
            id: SubjectId::new("s"),
            name: "S".into(),
            queue: QueueId::new("q"),
            targets: vec![
                Target { skills: [(SkillId::new("a"), 7)].into(), timeout: Millis::from_secs(30) },
                Target::default(),
            ],
            priorities: Priorities { initial: 9, overflow: 8, rona: 1 },
            overflow: Some(Overflow { number: "+19165550400".into(), timeout: Millis::from_secs(45) }),
        };
        assert_eq!(SubjectConfig::from(&Subject::from(&subject)), subject);
    }

    #[test]
    fn language_tags_are_told_from_words() {
        for (tag, fits) in [("es", true), ("es-MX", true), ("zh-Hant", true), ("e", false), ("", false), ("es_", false)]
        {
            assert_eq!(is_language(tag), fits, "{tag}");
        }
    }
}
