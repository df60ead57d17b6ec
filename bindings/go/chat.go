package scout

/*
#include "glue.h"
*/
import "C"

import (
	"unsafe"
)

// Role is who speaks in a conversation.
type Role int32

// The roles of Llama 4's chat format.
const (
	System    Role = C.SCOUT_ROLE_SYSTEM
	User      Role = C.SCOUT_ROLE_USER
	Assistant Role = C.SCOUT_ROLE_ASSISTANT
	Tool      Role = C.SCOUT_ROLE_TOOL
)

// Chat is a conversation. Text given here can never become control tokens. To be used by one goroutine at a time.
type Chat struct{ h *handle }

// NewChat makes an empty conversation.
func (m *Model) NewChat() (*Chat, error) {
	result, err := m.h.call(func(p unsafe.Pointer) C.go_result { return C.go_chat_new((*C.scout_model)(p)) })
	if err != nil {
		return nil, err
	}
	return &Chat{newHandle(result.value, "chat", func(p unsafe.Pointer) { C.scout_chat_free((*C.scout_chat)(p)) }, nil)}, nil
}

// Add adds a message; a system message comes first or not at all.
func (c *Chat) Add(role Role, text string) error {
	_, err := c.h.call(func(p unsafe.Pointer) C.go_result {
		bytes, size := textPointer(text)
		return C.go_chat_add((*C.scout_chat)(p), C.int32_t(role), bytes, size)
	})
	return err
}

// Begin begins a message to which AddText and AddImage add parts.
func (c *Chat) Begin(role Role) error {
	_, err := c.h.call(func(p unsafe.Pointer) C.go_result { return C.go_chat_begin((*C.scout_chat)(p), C.int32_t(role)) })
	return err
}

// AddText adds text to the message that Begin began.
func (c *Chat) AddText(text string) error {
	_, err := c.h.call(func(p unsafe.Pointer) C.go_result {
		bytes, size := textPointer(text)
		return C.go_chat_add_text((*C.scout_chat)(p), bytes, size)
	})
	return err
}

// AddImage adds a picture to the message that Begin began, at this place among its texts. The chat keeps it: it may be closed. Any message
// but the system's may hold pictures. [ErrUnsupported] says why when the model was loaded without a vision tower: see [WithVision].
func (c *Chat) AddImage(i *Image) error {
	picture, err := i.h.enter()
	if err != nil {
		return err
	}
	defer i.h.leave(picture)
	_, err = c.h.call(func(p unsafe.Pointer) C.go_result {
		return C.go_chat_add_image((*C.scout_chat)(p), (*C.scout_image)(picture))
	})
	return err
}

// AddAnswer adds a finished request's answer: exactly the tokens that were generated, so that the next turn finds this one's pages.
func (c *Chat) AddAnswer(r *Request) error {
	answer, err := r.h.enter()
	if err != nil {
		return err
	}
	defer r.h.leave(answer)
	_, err = c.h.call(func(p unsafe.Pointer) C.go_result {
		return C.go_chat_add_answer((*C.scout_chat)(p), (*C.scout_request)(answer))
	})
	return err
}

// Tokens are the ids of the conversation, with the beginning of the assistant's answer.
func (c *Chat) Tokens() ([]int32, error) {
	return c.h.ids(func(p unsafe.Pointer, ids *C.int32_t, capacity C.uint64_t) C.go_result {
		return C.go_chat_tokens((*C.scout_chat)(p), ids, capacity)
	})
}

// Len is the number of messages; 0 for a closed chat.
func (c *Chat) Len() int {
	result, err := c.h.call(func(p unsafe.Pointer) C.go_result { return C.go_chat_count((*C.scout_chat)(p)) })
	if err != nil {
		return 0
	}
	return int(result.number)
}

// Close frees the conversation. It may be called twice.
func (c *Chat) Close() error {
	c.h.close()
	return nil
}
