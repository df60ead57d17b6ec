package scout

/*
#include "glue.h"
*/
import "C"

import (
	"runtime"
	"unsafe"
)

// A LoadOption changes how [Load] loads.
type LoadOption interface{ applyLoad(*loadOptions) }

// An EngineOption changes what [Model.NewEngine] makes.
type EngineOption interface{ applyEngine(*C.scout_engine_options) }

// A LoadEngineOption serves both.
type LoadEngineOption interface {
	LoadOption
	EngineOption
}

// A RequestOption changes one request.
type RequestOption func(*requestOptions)

type loadOptions struct {
	native                                 C.scout_load_options
	device, pluginDir, packPath, placement string
}

type loadOption func(*loadOptions)

func (f loadOption) applyLoad(o *loadOptions) { f(o) }

type engineOption func(*C.scout_engine_options)

func (f engineOption) applyEngine(o *C.scout_engine_options) { f(o) }

type bothOption struct {
	loadOption
	engineOption
}

// Numerics says whether an answer may depend on what shares its batch.
type Numerics int32

// The values of Numerics.
const (
	NumericsInvariant Numerics = C.SCOUT_NUMERICS_INVARIANT // the default: same request, same bytes
	NumericsFast      Numerics = C.SCOUT_NUMERICS_FAST
	NumericsFloat32   Numerics = C.SCOUT_NUMERICS_FLOAT32 // device "ref" only
)

// KVFormat says how keys and values are kept.
type KVFormat int32

// The values of KVFormat.
const (
	KVDefault KVFormat = C.SCOUT_KV_DEFAULT
	KVF16     KVFormat = C.SCOUT_KV_F16
	KVBF16    KVFormat = C.SCOUT_KV_BF16
	KVF32     KVFormat = C.SCOUT_KV_F32
	KVQ8      KVFormat = C.SCOUT_KV_Q8_0 // bytes with a scale for each 32: 53 % of KVF16's memory
)

// WithDevice names what the model runs on: "cpu", "ref", or several: "cuda:0,cuda:1". See [Devices].
func WithDevice(name string) LoadOption { return loadOption(func(o *loadOptions) { o.device = name }) }

// WithPlacement says what lies on which device: "experts=cpu", "layers 0-23=cuda:0; layers 24-47=cuda:1". The grammar is in scout/model.h.
func WithPlacement(placement string) LoadOption {
	return loadOption(func(o *loadOptions) { o.placement = placement })
}

// WithPluginDir says where plug-ins are looked for.
func WithPluginDir(path string) LoadImageOption {
	return loadImageOption{func(o *loadOptions) { o.pluginDir = path }, func(o *imageOptions) { o.pluginDir = path }}
}

// Pack says what a load does with a packed side-file, with which a GGUF file loads in milliseconds, shared by processes.
type Pack int32

// The values of Pack.
const (
	PackNone  Pack = C.SCOUT_PACK_NONE
	PackUse   Pack = C.SCOUT_PACK_USE
	PackCheck Pack = C.SCOUT_PACK_CHECK // use it after all of it was compared with its hashes
	PackWrite Pack = C.SCOUT_PACK_WRITE // load from the file, and write the side-file
)

// WithPack uses or writes a packed side-file; path "" is the path of the GGUF file with ".pack" behind it. A side-file that another
// program shortens ends the process.
func WithPack(pack Pack, path string) LoadOption {
	return loadOption(func(o *loadOptions) { o.native.pack, o.packPath = C.int32_t(pack), path })
}

// WithVision loads the vision tower too, where the checkpoint has one or one mmproj*.gguf lies beside it, so that chats can hold pictures.
func WithVision() LoadOption { return loadOption(func(o *loadOptions) { o.native.vision = 1 }) }

// WithThreads sets the number of compute threads; 0 is as many as the process may use.
func WithThreads(n int) LoadOption {
	return loadOption(func(o *loadOptions) { o.native.threads = C.int32_t(n) })
}

// WithNumerics chooses the arithmetic.
func WithNumerics(n Numerics) LoadOption {
	return loadOption(func(o *loadOptions) { o.native.numerics = C.int32_t(n) })
}

// WithMemoryLimit refuses to load what needs more bytes.
func WithMemoryLimit(bytes uint64) LoadOption {
	return loadOption(func(o *loadOptions) { o.native.memory_limit_bytes = C.uint64_t(bytes) })
}

// WithMappedFile maps the file instead of reading it. A file that shrinks then ends the process.
func WithMappedFile() LoadOption { return loadOption(func(o *loadOptions) { o.native.map_file = 1 }) }

// WithoutWeightCheck does not look for NaN and infinity while loading.
func WithoutWeightCheck() LoadOption {
	return loadOption(func(o *loadOptions) { o.native.skip_weight_check = 1 })
}

// WithContext sets how many positions one request may use.
func WithContext(positions int64) LoadEngineOption {
	return bothOption{func(o *loadOptions) { o.native.context = C.int64_t(positions) },
		func(o *C.scout_engine_options) { o.context = C.int64_t(positions) }}
}

// WithKVBytes sets the memory for keys and values.
func WithKVBytes(bytes uint64) LoadEngineOption {
	return bothOption{func(o *loadOptions) { o.native.kv_bytes = C.uint64_t(bytes) },
		func(o *C.scout_engine_options) { o.kv_bytes = C.uint64_t(bytes) }}
}

// WithKVFormat says how keys and values are kept.
func WithKVFormat(format KVFormat) LoadEngineOption {
	return bothOption{func(o *loadOptions) { o.native.kv_format = C.int32_t(format) },
		func(o *C.scout_engine_options) { o.kv_format = C.int32_t(format) }}
}

// WithStepping lets the caller run the steps by [Engine.Step]: no thread is made and no call waits.
func WithStepping() EngineOption {
	return engineOption(func(o *C.scout_engine_options) { o.mode = C.SCOUT_ENGINE_STEPPED })
}

// WithStepRows sets the most tokens of a step, and of one while answers stream; 0 keeps a default.
func WithStepRows(rows, whileStreaming int) EngineOption {
	return engineOption(func(o *C.scout_engine_options) {
		o.step_rows, o.decode_step_rows = C.int32_t(rows), C.int32_t(whileStreaming)
	})
}

// WithMaxWaiting sets how many requests wait before Submit returns [ErrAgain].
func WithMaxWaiting(n int) EngineOption {
	return engineOption(func(o *C.scout_engine_options) { o.max_waiting = C.int32_t(n) })
}

// WithMaxRunning sets how many requests share a step.
func WithMaxRunning(n int) EngineOption {
	return engineOption(func(o *C.scout_engine_options) { o.max_running = C.int32_t(n) })
}

// WithoutPrefixCache forgets the pages of finished prompts.
func WithoutPrefixCache() EngineOption {
	return engineOption(func(o *C.scout_engine_options) { o.no_prefix_cache = 1 })
}

// WithPictureCacheBytes sets the most memory for what was computed of pictures that later requests may ask about again; 0 is 268435456. Not
// with [WithoutPictureCache].
func WithPictureCacheBytes(n uint64) EngineOption {
	return engineOption(func(o *C.scout_engine_options) { o.picture_cache_bytes = C.uint64_t(n) })
}

// WithoutPictureCache keeps nothing of a picture once the requests that need it have computed it.
func WithoutPictureCache() EngineOption {
	return engineOption(func(o *C.scout_engine_options) { o.no_picture_cache = 1 })
}

// WithCacheSalt keeps engines of different salts from ever sharing pages.
func WithCacheSalt(salt uint64) EngineOption {
	return engineOption(func(o *C.scout_engine_options) { o.cache_salt = C.uint64_t(salt) })
}

type requestOptions struct {
	native     C.scout_request_options
	biasIDs    []int32
	biasValues []float32
	stop       []string
	stopTokens []int32
	images     []*Image
}

// WithTemperature samples instead of taking the most likely token; 0 is greedy, the default.
func WithTemperature(t float32) RequestOption {
	return func(o *requestOptions) { o.native.temperature = C.float(t) }
}

// WithTopK samples among the k most likely tokens; 0 is all.
func WithTopK(k int) RequestOption { return func(o *requestOptions) { o.native.top_k = C.int32_t(k) } }

// WithTopP leaves out tokens whose more likely ones already hold this mass; 1 is off.
func WithTopP(p float32) RequestOption {
	return func(o *requestOptions) { o.native.top_p = C.float(p) }
}

// WithMinP leaves out tokens less likely than this times the most likely; 0 is off.
func WithMinP(p float32) RequestOption {
	return func(o *requestOptions) { o.native.min_p = C.float(p) }
}

// WithPenalties sets the repetition (1 is off), frequency and presence (0 is off) penalties.
func WithPenalties(repetition, frequency, presence float32) RequestOption {
	return func(o *requestOptions) {
		o.native.repetition_penalty, o.native.frequency_penalty, o.native.presence_penalty = C.float(repetition), C.float(frequency), C.float(presence)
	}
}

// WithSeed makes sampling repeatable: same seed, same request, same answer.
func WithSeed(seed uint64) RequestOption {
	return func(o *requestOptions) { o.native.seed = C.uint64_t(seed) }
}

// WithMaxTokens bounds the answer; 0 is as many as the context holds.
func WithMaxTokens(n int64) RequestOption {
	return func(o *requestOptions) { o.native.max_tokens = C.int64_t(n) }
}

// WithTag is repeated in each event.
func WithTag(tag uint64) RequestOption {
	return func(o *requestOptions) { o.native.tag = C.uint64_t(tag) }
}

// WithBias adds to the logit of a token; minus infinity forbids it. May be given many times.
func WithBias(id int32, value float32) RequestOption {
	return func(o *requestOptions) { o.biasIDs, o.biasValues = append(o.biasIDs, id), append(o.biasValues, value) }
}

// WithStop ends the answer before the first of these texts.
func WithStop(texts ...string) RequestOption {
	return func(o *requestOptions) { o.stop = append(o.stop, texts...) }
}

// WithStopTokens ends the answer at these tokens, beside the model's own.
func WithStopTokens(ids ...int32) RequestOption {
	return func(o *requestOptions) { o.stopTokens = append(o.stopTokens, ids...) }
}

// WithLogprobs brings the log-probabilities of the tokens, and the n most likely ones of each position with theirs.
func WithLogprobs(n int) RequestOption {
	return func(o *requestOptions) { o.native.logprobs, o.native.top_logprobs = 1, C.int32_t(n) }
}

// WithImages gives pictures to a text or to ids: a question comes behind them; in what is continued as it stands ([WithRaw], ids), each
// "<|image|>" becomes the next of them. A [Chat] holds its own. They may be closed once the request is made.
func WithImages(images ...*Image) RequestOption {
	return func(o *requestOptions) { o.images = append(o.images, images...) }
}

// WithIgnoreEnd goes on past the model's own stop tokens.
func WithIgnoreEnd() RequestOption { return func(o *requestOptions) { o.native.ignore_end = 1 } }

// WithSpecial writes control tokens into the text.
func WithSpecial() RequestOption { return func(o *requestOptions) { o.native.include_special = 1 } }

// WithRaw continues the prompt as it stands instead of answering it.
func WithRaw() RequestOption { return func(o *requestOptions) { o.native.raw = 1 } }

// nativeRequest fills in the C struct. What it points at is pinned until the pinner lets go, and its pictures are held until `release`,
// which the call outlives.
func nativeRequest(options []RequestOption, pins *runtime.Pinner) (native *C.scout_request_options, release func(), err error) {
	o := new(requestOptions)
	C.scout_request_options_init(&o.native, C.sizeof_scout_request_options)
	for _, option := range options {
		option(o)
	}
	if n := len(o.biasIDs); n != 0 {
		o.native.bias_ids, o.native.bias_values, o.native.bias_count = idsPointer(o.biasIDs), (*C.float)(unsafe.SliceData(o.biasValues)), C.uint64_t(n)
		pins.Pin(o.native.bias_ids)
		pins.Pin(o.native.bias_values)
	}
	if n := len(o.stopTokens); n != 0 {
		o.native.stop_tokens, o.native.stop_token_count = idsPointer(o.stopTokens), C.uint64_t(n)
		pins.Pin(o.native.stop_tokens)
	}
	if n := len(o.stop); n != 0 {
		texts, sizes := make([]*C.char, n), make([]C.uint64_t, n)
		for i, text := range o.stop {
			bytes := append([]byte(text), 0)
			texts[i], sizes[i] = (*C.char)(unsafe.Pointer(&bytes[0])), C.uint64_t(len(text))
			pins.Pin(&bytes[0])
		}
		o.native.stop, o.native.stop_sizes, o.native.stop_count = &texts[0], &sizes[0], C.uint64_t(n)
		pins.Pin(&texts[0])
		pins.Pin(&sizes[0])
	}
	o.native.images, o.native.image_count, release, err = holdImages(o.images, pins)
	// An object of its own: whatever lies beside it in memory would have to be pinned too.
	native = new(C.scout_request_options)
	*native = o.native
	return native, release, err
}

// holdImages gives pictures as the library takes them, held until release.
func holdImages(images []*Image, pins *runtime.Pinner) (first **C.scout_image, count C.uint64_t, release func(), err error) {
	held := make([]unsafe.Pointer, 0, len(images))
	release = func() {
		for i, pointer := range held {
			images[i].h.leave(pointer)
		}
	}
	for _, image := range images {
		pointer, err := image.h.enter()
		if err != nil {
			release()
			return nil, 0, func() {}, err
		}
		held = append(held, pointer)
	}
	if len(held) == 0 {
		return nil, 0, release, nil
	}
	pins.Pin(&held[0])
	return (**C.scout_image)(unsafe.Pointer(&held[0])), C.uint64_t(len(held)), release, nil
}
