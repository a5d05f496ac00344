//! The second factor: the secret shared with an authenticator app, the codes that hold once, and the recovery codes.

use ringback_routing::ids::AgentId;

use crate::{Store, error::StoreError, sql::sql, turn::json};

impl Store {
    /// Enrols the user's app, or takes it away (None). The recovery codes before are gone.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when there is no such user.
    pub async fn set_second_factor(
        &self,
        user: &AgentId,
        secret: Option<&str>,
        recovery_digests: &[String],
    ) -> Result<(), StoreError> {
        let recovery = json("recovery codes of", user, &recovery_digests)?;
        let statement = sql("UPDATE users SET totp = $2, totp_step = 0, recovery = $3 WHERE id = $1")
            .id(user)
            .opt_text(secret)
            .text(&recovery);
        let updated = self.run(statement).await?;
        if updated == 1 { Ok(()) } else { Err(StoreError::NotFound("user")) }
    }

    /// The secret, as long as one is enrolled.
    pub async fn second_factor(&self, user: &AgentId) -> Result<Option<String>, StoreError> {
        let mut reader = self.reader().await?;
        let row = sql("SELECT totp FROM users WHERE id = $1").id(user).first(&mut reader).await?;
        row.map_or(Ok(None), |row| row.opt_text("totp"))
    }

    /// True the first time that step, or a later one, is used; false ever after.
    pub async fn use_step(&self, user: &AgentId, step: i64) -> Result<bool, StoreError> {
        let statement = sql("UPDATE users SET totp_step = $2 WHERE id = $1 AND totp_step < $2").id(user).int(step);
        let used = self.run(statement).await?;
        Ok(used == 1)
    }

    /// Uses up a recovery code; None: there is no such code (left). Otherwise how many are left.
    pub async fn use_recovery(&self, user: &AgentId, digest: &str) -> Result<Option<usize>, StoreError> {
        let (user, digest) = (user.clone(), digest.to_owned());
        self.write(move |conn| {
            Box::pin(async move {
                let row = sql("SELECT recovery FROM users WHERE id = $1").id(&user).first(&mut *conn).await?;
                let Some(row) = row else { return Ok(None) };
                let kept = row.text("recovery")?;
                let mut left: Vec<String> =
                    serde_json::from_str(&kept).map_err(|_| StoreError::corrupt("recovery codes of", &user))?;
                let before = left.len();
                left.retain(|known| *known != digest);
                if left.len() == before {
                    return Ok(None);
                }
                // Two nodes cannot both take the same code: the second finds the list changed.
                let taken = sql("UPDATE users SET recovery = $2 WHERE id = $1 AND recovery = $3")
                    .id(&user)
                    .text(json("recovery codes of", &user, &left)?)
                    .text(&kept)
                    .run(conn)
                    .await?;
                Ok((taken == 1).then_some(left.len()))
            })
        })
        .await
    }
}
