//! Behaviours of the model's facts, the tokenizer, answers, chats and scores.
use crate::list::{self, unescape, Case};
use crate::{near, request_options, say, stop_number, Answer, Shown};
use scout::{Encode, EngineOptions, Error, Model, Role};

pub fn facts(model: &Model, case: &Case) -> Shown {
    let i = model.info().map_err(say)?;
    for (name, expected) in case.pairs("fact") {
        let came = match name {
            "layers" => i.layers.to_string(),
            "architecture" => i.architecture.clone(),
            "name" => i.name.clone(),
            "version" => i.version.clone(),
            "rope_scaling" => i.rope_scaling.clone(),
            "embedding" => i.embedding.to_string(),
            "heads" => i.heads.to_string(),
            "kv_heads" => i.kv_heads.to_string(),
            "head_dim" => i.head_dim.to_string(),
            "vocabulary" => i.vocabulary.to_string(),
            "tokenizer_size" => i.tokenizer_size.to_string(),
            "dense_hidden" => i.dense_hidden.to_string(),
            "expert_hidden" => i.expert_hidden.to_string(),
            "experts" => i.experts.to_string(),
            "experts_used" => i.experts_used.to_string(),
            "moe_layers" => i.moe_layers.to_string(),
            "global_layers" => i.global_layers.to_string(),
            "attention_chunk" => i.attention_chunk.to_string(),
            "context" => i.context.to_string(),
            "qk_norm" => i32::from(i.qk_norm).to_string(),
            "tied_head" => i32::from(i.tied_head).to_string(),
            "has_chat" => i32::from(i.has_chat).to_string(),
            "parameters" => i.parameters.to_string(),
            "file_bytes" => i.file_bytes.to_string(),
            real => {
                let all = [
                    ("rope_base", i.rope_base),
                    ("norm_eps", i.norm_eps),
                    ("temperature_length", i.temperature_length),
                    ("temperature_scale", i.temperature_scale),
                ];
                let came = all.iter().find(|(name, _)| *name == real).ok_or_else(|| format!("the fact {} is not known", real))?.1;
                let wanted: f64 = expected.parse().unwrap();
                same!(real, true, (came - wanted).abs() <= wanted.abs() * 1e-6);
                continue;
            }
        };
        same!(name, unescape(expected), came.as_bytes());
    }
    for row in case.all("layer").map(list::numbers::<i32>) {
        let layer = model.layer(row[0]).map_err(say)?;
        same!(format!("layer {}", row[0]), row[1..], [layer.moe as i32, layer.rope as i32, layer.chunked as i32][..]);
    }
    same!("tensor_count", case.number("tensor_count"), model.tensor_count() as i64);
    let tensor = model.tensor(0).map_err(say)?;
    same!("first_tensor", case.text("first_tensor"), tensor.name.as_bytes());
    same!("first_format", case.text("first_format"), tensor.format.as_bytes());
    same!("first_shape", case.numbers::<i64>("first_shape")[..], tensor.shape[..tensor.rank as usize]);
    Ok(())
}

pub fn statuses(_: &Model, case: &Case) -> Shown {
    same!("codes", 16, case.all("status").count());
    for row in case.all("status") {
        let mut parts = row.splitn(3, ' ');
        let code: i32 = parts.next().unwrap().parse().unwrap();
        let (name, words) = (parts.next().unwrap(), parts.next().unwrap());
        same!(name, words, scout::status_text(code));
        if (0..2).contains(&code) {
            continue; // OK and DONE are no errors
        }
        let error = Error::from_status(code, "why");
        same!(name, code, error.status());
        // NoMemory("why") is SCOUT_ERR_NO_MEMORY.
        let variant = format!("{:?}", error);
        let plain = |text: &str| text.replace("SCOUT_", "").replace("ERR_", "").replace('_', "").to_lowercase();
        same!("the variant's name", plain(name), plain(variant.trim_end_matches("(\"why\")")));
    }
    Ok(())
}

pub fn encode(model: &Model, case: &Case) -> Shown {
    let (text, special, bos) = (case.text("text"), case.number("special") == 1, case.number("bos") == 1);
    let how = if special { Encode::SPECIAL } else { Encode::PLAIN } | if bos { Encode::BOS } else { Encode::PLAIN };
    let ids = model.encode_with(&text, how).map_err(say)?;
    same!("ids", case.numbers::<i32>("ids"), ids);
    same!("count", ids.len(), model.count_tokens(&text, how).map_err(say)?);
    if !special && !bos {
        same!("decoded", text, model.decode(&ids).map_err(say)?);
    }
    Ok(())
}

pub fn decode(model: &Model, case: &Case) -> Shown {
    let ids = case.numbers::<i32>("ids");
    let text = if case.number("special") == 1 { model.decode_special(&ids) } else { model.decode(&ids) };
    same!("text", case.text("text"), text.map_err(say)?);
    Ok(())
}

pub fn utf16(model: &Model, case: &Case) -> Shown {
    let text = String::from_utf16_lossy(&case.numbers::<u16>("units"));
    same!("ids", case.numbers::<i32>("replaced"), model.encode(text).map_err(say)?);
    Ok(())
}

pub fn token(model: &Model, case: &Case) -> Shown {
    let id = case.number("id") as i32;
    let token = model.token(id).map_err(say)?;
    same!("bytes", case.text("bytes"), token.bytes);
    same!("special", case.number("special") == 1, token.special);
    if token.special {
        same!("found", id, model.find_token(&String::from_utf8(token.bytes).unwrap()).map_err(say)?);
    }
    Ok(())
}

pub fn stop_tokens(model: &Model, case: &Case) -> Shown {
    same!("ids", case.numbers::<i32>("ids"), model.stop_tokens().map_err(say)?);
    Ok(())
}

pub fn generate(model: &Model, case: &Case) -> Shown {
    let answer = Answer::of(model, &case.text("prompt"), &request_options(case))?;
    let end = answer.whole.end.as_ref().unwrap();
    same!("text", case.text("text"), answer.text.as_bytes());
    same!("ids", case.numbers::<i32>("ids"), answer.whole.ids);
    same!("stop", case.number("stop"), stop_number(end.stop));
    same!("prompt_tokens", case.number("prompt_tokens") as u64, end.prompt_tokens);
    if case.has("events") {
        same!("events", case.number("events") as usize, answer.events);
    }
    if case.has("logprobs") {
        let best: Vec<i32> = answer.whole.top.iter().map(|row| row[0].0).collect();
        same!("best_ids", case.numbers::<i32>("best_ids"), best);
        same!("top_count", true, answer.whole.top.iter().all(|row| row.len() == case.number("top_count") as usize));
        same!("logprobs", case.numbers::<f64>("logprobs").len(), answer.whole.logprobs.len());
        for (expected, came) in case.numbers::<f64>("logprobs").into_iter().zip(answer.whole.logprobs) {
            near("logprobs", expected, came, case.real("tolerance"))?;
        }
    }
    Ok(())
}

pub fn same_twice(model: &Model, case: &Case) -> Shown {
    let ask = || Answer::of(model, &case.text("prompt"), &request_options(case)).map(|answer| answer.whole.ids);
    let first = ask()?;
    same!("an empty answer", false, first.is_empty());
    same!("ids", first, ask()?);
    Ok(())
}

pub fn chat(model: &Model, case: &Case) -> Shown {
    let mut chat = model.chat().map_err(say)?;
    for (role, text) in case.pairs("message") {
        let role = match role {
            "system" => Role::System,
            "user" => Role::User,
            "assistant" => Role::Assistant,
            _ => Role::Tool,
        };
        chat.add(role, unescape(text)).map_err(say)?;
    }
    same!("messages", case.all("message").count(), chat.len());
    same!("prompt_ids", case.numbers::<i32>("prompt_ids"), chat.tokens().map_err(say)?);
    Ok(())
}

pub fn turns(model: &Model, case: &Case) -> Shown {
    let engine = model.engine(&EngineOptions::new()).map_err(say)?;
    let mut chat = model.chat().map_err(say)?;
    let expected = case.all("question").zip(case.all("answer")).zip(case.numbers::<u64>("cached"));
    for ((question, text), cached) in expected {
        chat.user(unescape(question)).map_err(say)?;
        let mut request = engine.submit(&chat).map_err(say)?;
        let answer = Answer::read(&mut request)?;
        same!("answer", unescape(text), answer.text.as_bytes());
        same!("cached", cached, answer.whole.end.unwrap().cached_tokens);
        chat.add_answer(&request).map_err(say)?;
    }
    Ok(())
}

pub fn score(model: &Model, case: &Case) -> Shown {
    let engine = model.engine(&EngineOptions::new()).map_err(say)?;
    let (mut positions, mut logprobs) = (Vec::new(), Vec::new());
    for block in engine.score(&case.numbers::<i32>("ids")).map_err(say)? {
        let block = block.map_err(say)?;
        positions.extend(block.positions);
        logprobs.extend(block.logprobs);
    }
    let expected = case.numbers::<f64>("logprobs");
    same!("positions", (0..=expected.len() as i64).collect::<Vec<_>>(), positions);
    same!("position 0 is a number", false, !logprobs[0].is_nan());
    expected.iter().zip(&logprobs[1..]).try_for_each(|(&expected, &came)| near("logprobs", expected, came, case.real("tolerance")))
}

pub fn score_logits(model: &Model, case: &Case) -> Shown {
    let engine = model.engine(&EngineOptions::new()).map_err(say)?;
    let positions = case.numbers::<i64>("positions");
    let (mut seen, mut best, mut largest) = (Vec::new(), Vec::new(), Vec::new());
    for block in engine.logits(&case.numbers::<i32>("ids"), &positions).map_err(say)? {
        let block = block.map_err(say)?;
        same!("vocabulary", case.number("vocabulary") as usize, block.vocabulary);
        seen.extend(block.positions);
        for row in block.logits.chunks(block.vocabulary) {
            let at = (0..row.len()).fold(0, |best, i| if row[i] > row[best] { i } else { best });
            best.push(at as i32);
            largest.push(row[at]);
        }
    }
    same!("positions", positions, seen);
    same!("best_ids", case.numbers::<i32>("best_ids"), best);
    case.numbers::<f64>("logits")
        .iter()
        .zip(largest)
        .try_for_each(|(&expected, came)| near("logits", expected, came, case.real("tolerance")))
}
