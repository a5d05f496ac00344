//! What the server says in words: English and Spanish, every problem by its code, and the pages without JavaScript.

/// A language the server speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Lang {
    #[default]
    En,
    Es,
}

impl Lang {
    pub fn tag(self) -> &'static str {
        match self {
            Lang::En => "en",
            Lang::Es => "es",
        }
    }

    /// From a tag like `es`, `es-MX`.
    pub fn of_tag(tag: &str) -> Option<Self> {
        match tag.split(['-', '_']).next().map(str::to_ascii_lowercase).as_deref() {
            Some("en") => Some(Lang::En),
            Some("es") => Some(Lang::Es),
            _ => None,
        }
    }

    /// From an Accept-Language header (RFC 9110, section 12.5.4): the first known of the highest weight.
    pub fn of_header(header: &str) -> Option<Self> {
        let mut best: Option<(f32, Lang)> = None;
        for part in header.split(',').take(20) {
            let mut pieces = part.trim().split(';');
            let Some(lang) = pieces.next().and_then(Lang::of_tag) else { continue };
            let weight = pieces.find_map(|piece| piece.trim().strip_prefix("q=")?.parse().ok()).unwrap_or(1.0);
            if best.is_none_or(|(known, _)| weight > known) && weight > 0.0 {
                best = Some((weight, lang));
            }
        }
        best.map(|(_, lang)| lang)
    }

    pub fn pick<'a>(self, english: &'a str, spanish: &'a str) -> &'a str {
        match self {
            Lang::En => english,
            Lang::Es => spanish,
        }
    }
}

/// An expected wait (P50 and P90 in milliseconds) as the pages without JavaScript say it, in whole minutes.
pub fn wait(p50: Option<i64>, p90: Option<i64>, lang: Lang) -> String {
    let Some(p50) = p50 else { return lang.pick("not known yet", "aún no se sabe").to_owned() };
    let from = p50.max(0) / 60_000;
    let to = (p90.unwrap_or(p50).saturating_add(59_999) / 60_000).max(from + 1);
    match (from, lang) {
        (0, Lang::En) => format!("up to {to} min"),
        (0, Lang::Es) => format!("hasta {to} min"),
        (_, Lang::En) => format!("about {from} to {to} minutes"),
        (_, Lang::Es) => format!("unos {from} a {to} minutos"),
    }
}

/// Title and detail of a problem. Every code the server uses is here; a test looks for that.
pub const PROBLEMS: &[(&str, [&str; 2], [&str; 2])] = &[
    (
        "auth_required",
        ["Sign in first", "Inicie sesión primero"],
        ["Please sign in and try again.", "Inicie sesión e inténtelo de nuevo."],
    ),
    (
        "token_invalid",
        ["The link is not valid", "El enlace no es válido"],
        ["Go back to the portal and choose Call me again.", "Vuelva al portal y elija Llámenme otra vez."],
    ),
    (
        "token_expired",
        ["The link has expired", "El enlace ha caducado"],
        ["Go back to the portal and choose Call me again.", "Vuelva al portal y elija Llámenme otra vez."],
    ),
    (
        "token_used",
        ["The link was used already", "El enlace ya se usó"],
        ["Go back to the portal and choose Call me again.", "Vuelva al portal y elija Llámenme otra vez."],
    ),
    (
        "not_enabled",
        ["Not offered here", "No disponible aquí"],
        [
            "This office does not call back over the web. Please call us.",
            "Esta oficina no devuelve llamadas por internet. Por favor, llámenos.",
        ],
    ),
    (
        "closed",
        ["We are closed now", "Ahora estamos cerrados"],
        ["You can ask us to call you when we open again.", "Puede pedirnos que le llamemos cuando abramos."],
    ),
    ("name_required", ["Name is missing", "Falta el nombre"], ["Please enter your name.", "Escriba su nombre."]),
    (
        "name_too_long",
        ["Name is too long", "El nombre es demasiado largo"],
        ["Please use at most 100 letters.", "Use 100 letras como máximo."],
    ),
    (
        "question_required",
        ["Question is missing", "Falta la pregunta"],
        ["Please enter your question.", "Escriba su pregunta."],
    ),
    (
        "phone_required",
        ["Phone number is missing", "Falta el número de teléfono"],
        ["Please enter the number we should call.", "Escriba el número al que debemos llamar."],
    ),
    (
        "phone_invalid",
        ["This number cannot be called", "No se puede llamar a este número"],
        ["Please check the number. Include the area code.", "Revise el número. Incluya el código de área."],
    ),
    (
        "phone_not_allowed",
        ["We cannot call this number", "No podemos llamar a este número"],
        [
            "We do not call this kind of number. Please give another one.",
            "No llamamos a este tipo de números. Indique otro.",
        ],
    ),
    (
        "emergency_number",
        ["Emergency numbers are not dialled from here", "Los números de emergencia no se marcan desde aquí"],
        [
            "Keep the customer on the line and dial the emergency number from another telephone. Say where the customer is: the call would come from this office.",
            "Mantenga al cliente en la línea y marque el número de emergencia desde otro teléfono. Diga dónde está el cliente: la llamada saldría de esta oficina.",
        ],
    ),
    (
        "agent_not_free",
        ["Not free now", "No disponible ahora"],
        [
            "This colleague cannot take a call at the moment.",
            "Este colega no puede atender una llamada en este momento.",
        ],
    ),
    (
        "no_such_subject",
        ["Unknown topic", "Tema desconocido"],
        ["Please choose one of the topics shown.", "Elija uno de los temas indicados."],
    ),
    (
        "numbers_lent",
        ["No number is free", "No hay ningún número libre"],
        [
            "All numbers are taken at the moment. Please try again in a few minutes.",
            "Todos los números están ocupados en este momento. Inténtelo de nuevo en unos minutos.",
        ],
    ),
    (
        "message_empty",
        ["Nothing was written", "No hay texto"],
        ["Please write something first.", "Escriba algo primero."],
    ),
    (
        "chat_over",
        ["The chat is over", "El chat terminó"],
        ["Nothing more can be written here.", "Ya no se puede escribir aquí."],
    ),
    ("too_long", ["A text is too long", "Un texto es demasiado largo"], ["Please shorten it.", "Acórtelo, por favor."]),
    (
        "idempotency_mismatch",
        ["Different request, same key", "Otra solicitud con la misma clave"],
        ["This Idempotency-Key belongs to another request.", "Esta Idempotency-Key pertenece a otra solicitud."],
    ),
    (
        "idempotency_key_invalid",
        ["Bad key", "Clave incorrecta"],
        [
            "Idempotency-Key has 1 to 64 letters, digits, - and _.",
            "Idempotency-Key tiene de 1 a 64 letras, cifras, - y _.",
        ],
    ),
    (
        "under_way",
        ["Still working on it", "Todavía en curso"],
        [
            "The same request is still under way. Ask again in a moment.",
            "La misma solicitud sigue en curso. Inténtelo en un momento.",
        ],
    ),
    (
        "number_rate",
        ["Too many requests for this number", "Demasiadas solicitudes para este número"],
        [
            "This number was given too often. Please wait an hour or call us.",
            "Este número se indicó demasiadas veces. Espere una hora o llámenos.",
        ],
    ),
    (
        "number_rested",
        ["This number was called enough today", "Ya se llamó bastante a este número hoy"],
        [
            "We do not call this number again today. Please call us, or ask again tomorrow.",
            "Hoy no llamaremos más a este número. Llámenos o pídalo de nuevo mañana.",
        ],
    ),
    (
        "opted_out",
        ["We do not call this number", "No llamamos a este número"],
        [
            "Its owner asked not to be called. Please call us, or give another number.",
            "Su titular pidió que no le llamen. Llámenos o indique otro número.",
        ],
    ),
    (
        "calling_hours",
        ["Too early or too late to call you", "Es muy temprano o muy tarde para llamarle"],
        [
            "We may not call customers at this hour. You can ask us to call you later, or call us.",
            "A esta hora no podemos llamar. Puede pedir que le llamemos más tarde, o llámenos.",
        ],
    ),
    (
        "calls_used_up",
        ["No more calls today", "Hoy no hay más llamadas"],
        [
            "We cannot place more calls today. Please call us, or ask again tomorrow.",
            "Hoy no podemos hacer más llamadas. Llámenos o pídalo de nuevo mañana.",
        ],
    ),
    (
        "network_rate",
        ["Too many requests", "Demasiadas solicitudes"],
        [
            "Too many requests came from your network. Please call us, or try again later.",
            "Llegaron demasiadas solicitudes desde su red. Llámenos o inténtelo más tarde.",
        ],
    ),
    (
        "tenant_rate",
        ["Too many requests", "Demasiadas solicitudes"],
        [
            "More people asked than we can call at the moment. Please call us, or try again later.",
            "Más personas pidieron una llamada de las que podemos atender. Llámenos o inténtelo más tarde.",
        ],
    ),
    (
        "rate_limited",
        ["Too many requests", "Demasiadas solicitudes"],
        ["Please wait a moment and try again.", "Espere un momento e inténtelo de nuevo."],
    ),
    (
        "wait_too_long",
        ["The wait is long right now", "Ahora la espera es larga"],
        [
            "More people are waiting than we can call soon. Please choose a time, or try again later.",
            "Hay más personas en espera de las que podemos llamar pronto. Elija una hora o inténtelo más tarde.",
        ],
    ),
    (
        "no_such_slot",
        ["This time is not offered", "Esta hora no se ofrece"],
        ["Please choose another time.", "Elija otra hora."],
    ),
    (
        "slot_full",
        ["This time is taken", "Esta hora ya está ocupada"],
        ["Somebody else was faster. Please choose another time.", "Otra persona fue más rápida. Elija otra hora."],
    ),
    (
        "full",
        ["Too many people are waiting", "Hay demasiadas personas en espera"],
        [
            "We cannot take more requests at the moment. Please call us or try later.",
            "Ahora no podemos aceptar más solicitudes. Llámenos o inténtelo más tarde.",
        ],
    ),
    (
        "unavailable",
        ["Not available at the moment", "No disponible en este momento"],
        [
            "Your request was not kept. Please try again in a moment.",
            "Su solicitud no se guardó. Inténtelo de nuevo en un momento.",
        ],
    ),
    (
        "form_expired",
        ["The page was open too long", "La página estuvo abierta demasiado tiempo"],
        ["Please check your entries and send them again.", "Revise sus datos y envíelos de nuevo."],
    ),
    (
        "wrong_state",
        ["Too late for that", "Ya no es posible"],
        ["The call has moved on in the meantime.", "La llamada ya ha avanzado."],
    ),
    (
        "number_waits",
        ["This number waits for a call already", "Este número ya espera una llamada"],
        ["We call it once, in its turn.", "La llamaremos una vez, cuando le toque."],
    ),
    (
        "too_large",
        ["Too much data", "Demasiados datos"],
        ["The request is larger than allowed.", "La solicitud es más grande de lo permitido."],
    ),
    (
        "unsupported_media_type",
        ["Wrong kind of data", "Tipo de datos incorrecto"],
        ["Send application/json.", "Envíe application/json."],
    ),
    (
        "bad_json",
        ["The data cannot be read", "Los datos no se pueden leer"],
        ["The body is not the JSON expected here.", "El cuerpo no es el JSON esperado."],
    ),
    (
        "bad_query",
        ["The address cannot be read", "La dirección no se puede leer"],
        ["A parameter in the address is not valid.", "Un parámetro de la dirección no es válido."],
    ),
    (
        "bad_value",
        ["A value is not valid", "Un valor no es válido"],
        ["Please check what was entered.", "Revise los datos introducidos."],
    ),
    (
        "cross_site",
        ["Refused", "Rechazado"],
        [
            "This request did not come from this site's own pages.",
            "Esta solicitud no viene de las páginas de este sitio.",
        ],
    ),
    (
        "not_found",
        ["Not found", "No encontrado"],
        ["There is nothing under this address.", "No hay nada en esta dirección."],
    ),
    (
        "method_not_allowed",
        ["Not possible here", "No es posible aquí"],
        ["This address does not take that method.", "Esta dirección no acepta ese método."],
    ),
    (
        "not_allowed",
        ["Not allowed", "No permitido"],
        ["Your account may not do this.", "Su cuenta no puede hacer esto."],
    ),
    (
        "login_failed",
        ["Not signed in", "No ha iniciado sesión"],
        ["User name or password is wrong.", "El usuario o la contraseña son incorrectos."],
    ),
    (
        "locked_out",
        ["Too many wrong tries", "Demasiados intentos fallidos"],
        [
            "Wait a little and try again. Your account is not blocked: a browser you have signed in with before may try at once.",
            "Espere un poco e inténtelo de nuevo. Su cuenta no está bloqueada: puede entrar desde un navegador ya usado.",
        ],
    ),
    (
        "second_factor_required",
        ["Enter your code", "Introduzca su código"],
        [
            "Enter the code your authenticator app shows, or a recovery code.",
            "Introduzca el código de su aplicación de autenticación o un código de recuperación.",
        ],
    ),
    (
        "second_factor_wrong",
        ["The code is not right", "El código no es correcto"],
        [
            "Wait for the next code and enter that one. A code holds once.",
            "Espere el siguiente código e introdúzcalo. Cada código vale una vez.",
        ],
    ),
    (
        "second_factor_needed",
        ["Set up your authenticator app first", "Configure primero su aplicación de autenticación"],
        [
            "Your role needs a second factor. Open /account and follow the steps.",
            "Su función requiere un segundo factor. Abra /account y siga los pasos.",
        ],
    ),
    (
        "signs_in_elsewhere",
        ["Signs in elsewhere", "Inicia sesión en otro lugar"],
        [
            "This person signs in at the identity provider: password and second factor are changed there.",
            "Esta persona inicia sesión en el proveedor de identidad: la contraseña se cambia allí.",
        ],
    ),
    (
        "settings_outdated",
        ["Changed meanwhile", "Cambiado entretanto"],
        [
            "Somebody else changed the settings in the meantime. Read them again, then make your change.",
            "Otra persona cambió los ajustes entretanto. Vuelva a leerlos y haga después su cambio.",
        ],
    ),
    (
        "in_use",
        ["Still in use", "Todavía en uso"],
        [
            "It cannot be taken away while others refer to it. Change those first.",
            "No se puede quitar mientras otros lo usan. Cambie primero esos.",
        ],
    ),
    (
        "too_many",
        ["No more can be added", "No caben más"],
        ["Remove one that is not needed any more.", "Quite antes uno que ya no haga falta."],
    ),
    (
        "held_already",
        ["On hold already", "Ya está retenido"],
        [
            "These records are on legal hold. Lift that hold first if the reason is another one.",
            "Estos registros están retenidos. Levante antes esa retención si el motivo es otro.",
        ],
    ),
    (
        "password_change_needed",
        ["Choose your own password first", "Elija primero su propia contraseña"],
        [
            "Your password was set by somebody else. Choose one of your own at /account, then go on.",
            "Su contraseña la puso otra persona. Elija una propia en /account y continúe después.",
        ],
    ),
    (
        "not_yourself",
        ["Not on yourself", "No sobre usted mismo"],
        [
            "Ask another administrator: you could not undo this.",
            "Pídalo a otro administrador: usted no podría deshacerlo.",
        ],
    ),
    ("taken", ["Taken already", "Ya existe"], ["Please choose another name.", "Elija otro nombre."]),
    (
        "provider_refused",
        ["Not signed in", "No ha iniciado sesión"],
        [
            "Your organisation's sign-in did not come through. Please start again.",
            "El inicio de sesión de su organización no se completó. Empiece de nuevo.",
        ],
    ),
    (
        "provider_unreachable",
        ["Sign-in is not available", "El inicio de sesión no está disponible"],
        [
            "Your organisation's sign-in cannot be reached. Please try again in a minute.",
            "No se puede contactar con el inicio de sesión de su organización. Inténtelo en un minuto.",
        ],
    ),
    (
        "no_role_here",
        ["You have no role here", "No tiene ninguna función aquí"],
        [
            "You are signed in, but in none of the groups that work here. Ask your administrator.",
            "Ha iniciado sesión, pero no pertenece a ningún grupo que trabaje aquí. Consulte a su administrador.",
        ],
    ),
    (
        "range_not_satisfiable",
        ["Beyond the end", "Más allá del final"],
        ["The recording is shorter than that.", "La grabación es más corta."],
    ),
    (
        "not_finished",
        ["Still being recorded", "Todavía se está grabando"],
        ["The recording can be played when the call is over.", "La grabación se puede oír cuando termine la llamada."],
    ),
    (
        "hello_first",
        ["Say hello first", "Salude primero"],
        ["The first message must be hello.", "El primer mensaje debe ser hello."],
    ),
    (
        "not_owner",
        ["The phone is in another tab", "El teléfono está en otra pestaña"],
        ["Take the phone over into this tab first.", "Traiga primero el teléfono a esta pestaña."],
    ),
    (
        "offer_gone",
        ["The offer is over", "La oferta terminó"],
        ["It was withdrawn or taken in the meantime.", "Se retiró o se aceptó entretanto."],
    ),
    (
        "disposition_required",
        ["A result is needed", "Falta el resultado"],
        ["Choose a result before you finish.", "Elija un resultado antes de terminar."],
    ),
    (
        "number_taken",
        ["Somebody else has this number", "Otra persona tiene este número"],
        [
            "Another customer of the directory has this number. Find that one, or take the number out.",
            "Otro cliente del directorio tiene este número. Busque a ese cliente o quite el número.",
        ],
    ),
    (
        "external_id_taken",
        ["Somebody else has this ID", "Otra persona tiene este identificador"],
        [
            "Another customer of the directory has this ID. Find that one, or take the ID out.",
            "Otro cliente del directorio tiene este identificador. Busque a ese cliente o quite el identificador.",
        ],
    ),
    (
        "changed_meanwhile",
        ["Somebody else changed this", "Otra persona lo cambió"],
        ["Read it again, then make your change.", "Vuelva a leerlo y haga su cambio."],
    ),
    (
        "person_live",
        ["A contact is not over", "Un contacto no ha terminado"],
        [
            "Wait until the conversation is over, or take the waiting request back. Then try again.",
            "Espere a que termine la conversación o anule la solicitud en espera. Después inténtelo de nuevo.",
        ],
    ),
    (
        "person_held",
        ["A contact is on legal hold", "Un contacto está bajo retención legal"],
        [
            "Nothing of this person is erased as long as the hold stands.",
            "No se borra nada de esta persona mientras dure la retención.",
        ],
    ),
    (
        "customer_needed",
        ["A customer is needed", "Falta el cliente"],
        ["Choose whose case this is, or save it as a draft.", "Elija de quién es este caso o guárdelo como borrador."],
    ),
    (
        "phone_failed",
        ["The phone could not be connected", "No se pudo conectar el teléfono"],
        [
            "The browser's audio connection was refused. Reload the page and try again.",
            "La conexión de audio fue rechazada. Recargue la página e inténtelo.",
        ],
    ),
    (
        "bad_message",
        ["The message cannot be read", "El mensaje no se puede leer"],
        ["The message is not one this server knows.", "El servidor no conoce este mensaje."],
    ),
];

/// Title and detail of `code`; an unknown code is its own title.
pub fn problem(code: &'static str, lang: Lang) -> (&'static str, &'static str) {
    let index = match lang {
        Lang::En => 0,
        Lang::Es => 1,
    };
    match PROBLEMS.iter().find(|(known, _, _)| *known == code) {
        Some((_, title, detail)) => (title[index], detail[index]),
        None => (code, ""),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reader_s_language_is_found() {
        assert_eq!(Lang::of_header("es-MX,es;q=0.9,en;q=0.8"), Some(Lang::Es));
        assert_eq!(Lang::of_header("fr, en;q=0.3, es;q=0.5"), Some(Lang::Es));
        assert_eq!(Lang::of_header("en;q=0, es;q=0.1"), Some(Lang::Es));
        assert_eq!(Lang::of_header("fr"), None);
        assert_eq!(Lang::of_header(";;;,,q=;q=x"), None);
    }

    #[test]
    fn every_code_is_said_in_both_languages_and_once() {
        for (index, (code, title, detail)) in PROBLEMS.iter().enumerate() {
            assert!(title.iter().chain(detail).all(|text| !text.is_empty()), "{code}");
            assert!(PROBLEMS[index + 1..].iter().all(|(other, _, _)| other != code), "{code}");
        }
    }
}
