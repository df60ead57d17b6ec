package scout

/*
#include "glue.h"
*/
import "C"

import (
	"context"
	"errors"
	"iter"
	"runtime"
	"unsafe"
)

// Model is a loaded model. Any number of goroutines may use it. Its memory goes when it and all that was made of it are closed.
type Model struct{ h *handle }

// Load loads a model: a GGUF file, a Hugging Face directory, "scout-tiny" (the model that comes with the library), or "ollama:NAME".
// When ctx ends, the load is cancelled after the read that is under way.
func Load(ctx context.Context, path string, options ...LoadOption) (*Model, error) {
	loading, err := LoadStart(path, options...)
	if err != nil {
		return nil, err
	}
	defer loading.Close()
	defer context.AfterFunc(ctx, loading.Cancel)()
	model, err := loading.Wait(context.Background())
	if errors.Is(err, ErrCancelled) && ctx.Err() != nil {
		return nil, ctx.Err()
	}
	return model, err
}

// Loading is a load that is under way.
type Loading struct{ h *handle }

// LoadStart starts a load and returns at once.
func LoadStart(path string, options ...LoadOption) (*Loading, error) {
	text, err := cString("path", path)
	if err != nil {
		return nil, err
	}
	defer C.free(unsafe.Pointer(text))
	o := new(loadOptions)
	C.scout_load_options_init(&o.native, C.sizeof_scout_load_options)
	for _, option := range options {
		option.applyLoad(o)
	}
	for _, named := range []struct {
		what, text string
		member     **C.char
	}{{"device", o.device, &o.native.device}, {"plugin_dir", o.pluginDir, &o.native.plugin_dir},
		{"pack_path", o.packPath, &o.native.pack_path}, {"placement", o.placement, &o.native.placement}} {
		if named.text == "" {
			continue
		}
		made, err := cString(named.what, named.text)
		if err != nil {
			return nil, err
		}
		defer C.free(unsafe.Pointer(made))
		*named.member = made
	}
	native := new(C.scout_load_options) // an object of its own: the texts beside o.native are Go's
	*native = o.native
	operation, err := made(C.go_load_start(text, native))
	if err != nil {
		return nil, err
	}
	return &Loading{newHandle(operation, "load",
		func(p unsafe.Pointer) { C.scout_operation_free((*C.scout_operation)(p)) },
		func(p unsafe.Pointer) { C.scout_operation_cancel((*C.scout_operation)(p)) })}, nil
}

// Wait returns the model once it is ready. When ctx ends first it returns its error, and the load goes on.
func (l *Loading) Wait(ctx context.Context) (*Model, error) {
	var model *Model
	err := wait(ctx, func(timeout C.int64_t) (bool, error) {
		result, err := l.h.call(func(p unsafe.Pointer) C.go_result {
			return C.go_operation_wait((*C.scout_operation)(p), timeout)
		})
		if err != nil || result.value == nil {
			return false, err
		}
		model = &Model{newHandle(result.value, "model", func(p unsafe.Pointer) { C.scout_free((*C.scout_model)(p)) }, nil)}
		return true, nil
	})
	return model, err
}

// Progress is how many bytes of weights are done, and of how many; 0 while the headers are read.
func (l *Loading) Progress() (done, total uint64, err error) {
	result, err := l.h.call(func(p unsafe.Pointer) C.go_result { return C.go_operation_progress((*C.scout_operation)(p)) })
	return uint64(result.number), uint64(result.number2), err
}

// Descriptor is readable for poll and epoll once Wait has an answer. Only to be polled, and not after Close; -1 where there is none.
func (l *Loading) Descriptor() int {
	return l.h.descriptor(func(p unsafe.Pointer) C.int32_t { return C.scout_operation_descriptor((*C.scout_operation)(p)) })
}

// Cancel asks the load to end; Wait then returns [ErrCancelled]. From any goroutine.
func (l *Loading) Cancel() {
	if pointer, err := l.h.enter(); err == nil {
		C.scout_operation_cancel((*C.scout_operation)(pointer))
		l.h.leave(pointer)
	}
}

// Close cancels what is under way. It may be called twice, and does nothing to a model that Wait returned.
func (l *Loading) Close() error {
	l.h.close()
	return nil
}

// Close drops the model. It may be called twice, and before what was made of it is closed.
func (m *Model) Close() error {
	m.h.close()
	return nil
}

// Start asks for an answer to a text: as a chat's only user message where the model has a chat format, else (or WithRaw) by going on
// from it.
func (m *Model) Start(prompt string, options ...RequestOption) (*Request, error) {
	return submit(m.h, options, func(p unsafe.Pointer, native *C.scout_request_options) C.go_result {
		bytes, size := textPointer(prompt)
		return C.go_generate((*C.scout_model)(p), bytes, size, native)
	})
}

// Generate is Start and [Request.Events] in one: it ranges over the answer, and frees everything when the loop ends, however it does.
func (m *Model) Generate(ctx context.Context, prompt string, options ...RequestOption) iter.Seq2[Event, error] {
	return func(yield func(Event, error) bool) {
		request, err := m.Start(prompt, options...)
		if err != nil {
			yield(Event{}, err)
			return
		}
		defer request.Close()
		for event, err := range request.Events(ctx) {
			if !yield(event, err) {
				return
			}
		}
	}
}

// PromptTokens are the ids that Start makes of a prompt, those of its pictures ([WithImages]) included.
func (m *Model) PromptTokens(prompt string, options ...RequestOption) ([]int32, error) {
	return m.prompt(options, func(p unsafe.Pointer, native *C.scout_request_options, ids *C.int32_t, capacity C.uint64_t) C.go_result {
		bytes, size := textPointer(prompt)
		return C.go_prompt_tokens((*C.scout_model)(p), bytes, size, native, ids, capacity)
	})
}

// ExpandPrompt is what ids become among which "<|image|>" ([Model.FindToken]) stands for pictures, and so which position is whose.
func (m *Model) ExpandPrompt(given []int32, images ...*Image) ([]int32, error) {
	return m.prompt([]RequestOption{WithImages(images...)}, func(p unsafe.Pointer, native *C.scout_request_options, ids *C.int32_t, capacity C.uint64_t) C.go_result {
		return C.go_prompt_expand((*C.scout_model)(p), idsPointer(given), C.uint64_t(len(given)), native, ids, capacity)
	})
}

func (m *Model) prompt(options []RequestOption, call func(unsafe.Pointer, *C.scout_request_options, *C.int32_t, C.uint64_t) C.go_result) ([]int32, error) {
	var pins runtime.Pinner
	defer pins.Unpin()
	native, release, err := nativeRequest(options, &pins)
	if err != nil {
		return nil, err
	}
	defer release()
	return m.h.ids(func(p unsafe.Pointer, ids *C.int32_t, capacity C.uint64_t) C.go_result {
		return call(p, native, ids, capacity)
	})
}

// EncodeFlags change how text becomes tokens; DecodeFlags how it comes back.
type (
	EncodeFlags uint32
	DecodeFlags uint32
)

// The flags of [Model.Encode] and [Model.Decode].
const (
	EncodeSpecial EncodeFlags = C.SCOUT_ENCODE_SPECIAL // spellings of control tokens become control tokens: only for trusted text
	EncodeBOS     EncodeFlags = C.SCOUT_ENCODE_BOS     // begin with the begin-of-text token
	DecodeSpecial DecodeFlags = C.SCOUT_DECODE_SPECIAL // control tokens are written with their names
)

// Encode gives a text's token ids.
func (m *Model) Encode(text string, flags EncodeFlags) ([]int32, error) {
	ids := make([]int32, len(text)+1) // a token holds at least one byte, so this is room for all
	result, err := m.h.call(func(p unsafe.Pointer) C.go_result {
		bytes, size := textPointer(text)
		return C.go_encode((*C.scout_model)(p), bytes, size, C.uint32_t(flags), idsPointer(ids), C.uint64_t(len(ids)))
	})
	if err != nil {
		return nil, err
	}
	return ids[:result.number:result.number], nil
}

// CountTokens is how many ids Encode would give.
func (m *Model) CountTokens(text string, flags EncodeFlags) (int, error) {
	result, err := m.h.call(func(p unsafe.Pointer) C.go_result {
		bytes, size := textPointer(text)
		return C.go_count_tokens((*C.scout_model)(p), bytes, size, C.uint32_t(flags))
	})
	return int(result.number), err
}

// Decode gives the bytes of token ids; not always UTF-8, as a single id may be part of a character.
func (m *Model) Decode(ids []int32, flags DecodeFlags) (string, error) {
	decode := func(text []byte) (C.go_result, error) {
		return m.h.call(func(p unsafe.Pointer) C.go_result {
			return C.go_decode((*C.scout_model)(p), idsPointer(ids), C.uint64_t(len(ids)), C.uint32_t(flags),
				(*C.char)(unsafe.Pointer(unsafe.SliceData(text))), C.uint64_t(len(text)))
		})
	}
	result, err := decode(nil)
	if err != nil || result.number == 0 {
		return "", err
	}
	text := make([]byte, result.number)
	if result, err = decode(text); err != nil {
		return "", err
	}
	return string(text[:result.number]), nil
}

// TokenBytes are the bytes of one token, of a control token its name, and whether it is one.
func (m *Model) TokenBytes(id int32) (bytes string, special bool, err error) {
	pointer, err := m.h.enter()
	if err != nil {
		return "", false, err
	}
	defer m.h.leave(pointer)
	result := C.go_token_bytes((*C.scout_model)(pointer), C.int32_t(id))
	if err := failure(result); err != nil {
		return "", false, err
	}
	return C.GoStringN((*C.char)(result.value), C.int(result.number)), result.number2 != 0, nil
}

// FindToken is the id of a control token by its name, "<|eot|>" for instance.
func (m *Model) FindToken(name string) (int32, error) {
	result, err := m.h.call(func(p unsafe.Pointer) C.go_result {
		bytes, size := textPointer(name)
		return C.go_token_find((*C.scout_model)(p), bytes, size)
	})
	return int32(result.number), err
}

// StopTokens are the ids that end an answer.
func (m *Model) StopTokens() ([]int32, error) {
	return m.h.ids(func(p unsafe.Pointer, ids *C.int32_t, capacity C.uint64_t) C.go_result {
		return C.go_stop_tokens((*C.scout_model)(p), ids, capacity)
	})
}

// Info is what a model is.
type Info struct {
	Architecture, Name, Version, Device, RopeScaling       string
	Layers                                                 int
	Embedding, Heads, KVHeads, HeadDim                     int64
	Vocabulary, TokenizerSize                              int64
	DenseHidden, ExpertHidden, Experts, ExpertsUsed        int64
	MoELayers, GlobalLayers                                int64
	AttentionChunk, Context                                int64 // positions
	RopeBase, NormEps, TemperatureLength, TemperatureScale float64
	QKNorm, TiedHead, HasChat                              bool
	Parameters, FileBytes, WeightBytes                     uint64
	KVBytesPerPositionGlobal, KVBytesPerPositionLocal      uint64
	KVFormat                                               KVFormat
	Placement                                              string // what lies on which device, as [WithPlacement] would say it
	DeviceCount                                            int    // of devices that hold a part of it: see Devices
}

// Info returns the model's facts.
func (m *Model) Info() (Info, error) {
	n := new(C.scout_model_info)
	n.struct_size = C.sizeof_scout_model_info
	pointer, err := m.h.enter()
	if err != nil {
		return Info{}, err
	}
	defer m.h.leave(pointer) // the texts are the model's
	if err := failure(C.go_model_get_info((*C.scout_model)(pointer), n)); err != nil {
		return Info{}, err
	}
	return Info{
		Architecture: C.GoString(n.architecture), Name: C.GoString(n.name), Version: C.GoString(n.version),
		Device: C.GoString(n.device), RopeScaling: C.GoString(n.rope_scaling),
		Layers: int(n.layers), Embedding: int64(n.embedding), Heads: int64(n.heads), KVHeads: int64(n.kv_heads), HeadDim: int64(n.head_dim),
		Vocabulary: int64(n.vocabulary), TokenizerSize: int64(n.tokenizer_size),
		DenseHidden: int64(n.dense_hidden), ExpertHidden: int64(n.expert_hidden), Experts: int64(n.experts), ExpertsUsed: int64(n.experts_used),
		MoELayers: int64(n.moe_layers), GlobalLayers: int64(n.global_layers), AttentionChunk: int64(n.attention_chunk), Context: int64(n.context),
		RopeBase: float64(n.rope_base), NormEps: float64(n.norm_eps),
		TemperatureLength: float64(n.temperature_length), TemperatureScale: float64(n.temperature_scale),
		QKNorm: n.qk_norm != 0, TiedHead: n.tied_head != 0, HasChat: n.has_chat != 0,
		Parameters: uint64(n.parameters), FileBytes: uint64(n.file_bytes), WeightBytes: uint64(n.weight_bytes),
		KVBytesPerPositionGlobal: uint64(n.kv_bytes_per_position_global), KVBytesPerPositionLocal: uint64(n.kv_bytes_per_position_local),
		KVFormat: KVFormat(n.kv_format), Placement: C.GoString(n.placement), DeviceCount: int(n.device_count),
	}, nil
}

// ModelDevice is a device that holds a part of a model.
type ModelDevice struct {
	Name, Description string
	WeightBytes       uint64 // resident there
}

// Devices are the devices that hold a part of the model.
func (m *Model) Devices() ([]ModelDevice, error) {
	info, err := m.Info()
	if err != nil {
		return nil, err
	}
	pointer, err := m.h.enter()
	if err != nil {
		return nil, err
	}
	defer m.h.leave(pointer) // the texts are the model's
	devices := make([]ModelDevice, info.DeviceCount)
	n := new(C.scout_model_device)
	n.struct_size = C.sizeof_scout_model_device
	for i := range devices {
		if err := failure(C.go_model_get_device((*C.scout_model)(pointer), C.uint64_t(i), n)); err != nil {
			return nil, err
		}
		devices[i] = ModelDevice{C.GoString(n.name), C.GoString(n.description), uint64(n.weight_bytes)}
	}
	return devices, nil
}

// Layer says what one layer is.
type Layer struct {
	MoE     bool // experts, else dense
	Rope    bool // rotated, else position-free
	Chunked bool // attends inside its chunk, else to everything
}

// Layer describes one layer.
func (m *Model) Layer(index int) (Layer, error) {
	kinds := new([3]C.int32_t)
	_, err := m.h.call(func(p unsafe.Pointer) C.go_result {
		return C.go_model_get_layer((*C.scout_model)(p), C.int32_t(index), &kinds[0])
	})
	return Layer{kinds[0] != 0, kinds[1] != 0, kinds[2] != 0}, err
}

// Tensor is a tensor of the model's files.
type Tensor struct {
	Name, Format string
	Shape        []int64 // the last is the fastest
	Bytes        uint64  // in the file
	Used         bool    // false: not needed by the text model
}

// Tensors are the tensors of the model's files, in file order.
func (m *Model) Tensors() ([]Tensor, error) {
	pointer, err := m.h.enter()
	if err != nil {
		return nil, err
	}
	defer m.h.leave(pointer)
	n := new(C.scout_tensor_info)
	n.struct_size = C.sizeof_scout_tensor_info
	counted := C.go_tensor_count((*C.scout_model)(pointer))
	if err := failure(counted); err != nil {
		return nil, err
	}
	tensors := make([]Tensor, counted.number)
	for i := range tensors {
		if err := failure(C.go_model_get_tensor((*C.scout_model)(pointer), C.uint64_t(i), n)); err != nil {
			return nil, err
		}
		tensors[i] = Tensor{C.GoString(n.name), C.GoString(n.format), nil, uint64(n.bytes), n.used != 0}
		for axis := 0; axis < int(n.rank) && axis < len(n.shape); axis++ {
			tensors[i].Shape = append(tensors[i].Shape, int64(n.shape[axis]))
		}
	}
	return tensors, nil
}

// KVBytes is how many bytes of keys and values one request of that many positions needs.
func (m *Model) KVBytes(positions int64, format KVFormat) (uint64, error) {
	result, err := m.h.call(func(p unsafe.Pointer) C.go_result {
		return C.go_model_kv_bytes((*C.scout_model)(p), C.int64_t(positions), C.int32_t(format))
	})
	return uint64(result.number), err
}

// Device is what a model can run on.
type Device struct {
	Name, Description                 string
	MemoryTotalBytes, MemoryFreeBytes uint64
}

// DeviceAt describes one device; 0 is the default one.
func DeviceAt(index int) (Device, error) {
	n := new(C.scout_device_info)
	n.struct_size = C.sizeof_scout_device_info
	if err := failure(C.go_device_get(C.uint64_t(index), n)); err != nil {
		return Device{}, err
	}
	return Device{C.GoString(n.name), C.GoString(n.description), uint64(n.memory_total_bytes), uint64(n.memory_free_bytes)}, nil
}

// Devices are what a model can run on here, the default one first.
func Devices() ([]Device, error) {
	counted := C.go_device_count()
	if err := failure(counted); err != nil {
		return nil, err
	}
	devices := make([]Device, counted.number)
	for i := range devices {
		device, err := DeviceAt(i)
		if err != nil {
			return nil, err
		}
		devices[i] = device
	}
	return devices, nil
}
