/** @file model.h  Loading a model and asking what it is. */
#ifndef SCOUT_MODEL_H
#define SCOUT_MODEL_H

#include "status.h"

SCOUT_BEGIN_DECLS

/** Arithmetic: whether a request's answer may depend on what shares its batch. */
enum scout_numerics {
  SCOUT_NUMERICS_DEFAULT = 0,   /**< invariant */
  SCOUT_NUMERICS_INVARIANT = 1, /**< same request, same bytes: whatever the batch, the prompt's cuts and the threads */
  SCOUT_NUMERICS_FAST = 2,      /**< a library may choose its blocking by the number of rows */
  SCOUT_NUMERICS_FLOAT32 = 3    /**< device "ref" only: activations are never quantised */
};

/** How keys and values are kept. */
enum scout_kv_format {
  SCOUT_KV_DEFAULT = 0, /**< as the model was loaded; at loading, f16 */
  SCOUT_KV_F16 = 1,
  SCOUT_KV_BF16 = 2,
  SCOUT_KV_F32 = 3,
  SCOUT_KV_Q8_0 = 4 /**< bytes, with a scale for each 32 of them: 53 % of f16's memory, errors of up to 0.4 % of the largest of the 32;
                         heads must be whole blocks of 32 (Llama 4's are 128), devices "cpu" and "ref" */
};

/** What a load does with a packed side-file: a file that holds a GGUF file's weights as the device keeps them and its tokenizer's tables
 * ready to use, made once and mapped from then on, so that a load takes milliseconds and processes share the memory. It is made for one
 * file (its size, its time, a hash of its header) and one arrangement of weights, and is refused with a sentence where either differs;
 * then it has to be written again. What it is made from must still be there. A vision tower is not in it. */
enum scout_pack {
  SCOUT_PACK_NONE = 0,  /**< there is no side-file */
  SCOUT_PACK_USE = 1,   /**< the side-file is used: SCOUT_ERR_IO when it is not there, _STATE when it was made from another file or the file
                             has changed, _UNSUPPORTED when it is of another machine or version, _CORRUPT when its tables are damaged */
  SCOUT_PACK_CHECK = 2, /**< the same, and all of it and of the file is read and compared with hashes, those of the weights too; the
                             file's time may differ then */
  SCOUT_PACK_WRITE = 3  /**< the model is loaded from the file, and a side-file written before the load ends; one that is there is replaced
                             once the new one is whole. Not with map_file */
};

/** How a model is loaded. */
typedef struct scout_load_options {
  uint32_t struct_size;
  int32_t numerics;     /**< SCOUT_NUMERICS_* */
  const char *device;   /**< "cpu", "ref", "cuda", "cuda:1"; NULL = the default one; or several, with commas between: "cuda:0,cuda:1"
                             share the layers in proportion to the memory that each has left. What a device with memory of its own cannot
                             hold of the routed experts goes to "cpu", whether that is named or not */
  int32_t threads;      /**< compute threads; 0 = as many as the process may use (affinity and cgroup quota) */
  int32_t kv_format;    /**< SCOUT_KV_*, for engines that do not say */
  int64_t context;      /**< positions that one request may use, for engines that do not say; 0 = as many as kv_bytes holds, at most
                             what the model was made for */
  uint64_t kv_bytes;    /**< bytes of keys and values of an engine that does not say; 0 = a quarter of the memory left once the
                             weights are loaded, at most 4 GiB */
  uint64_t memory_limit_bytes; /**< refuse to load what needs more than this; 0 = what the machine and its cgroup have left */
  const char *plugin_dir;      /**< where plug-ins are looked for; NULL = "scout" beside libscout */
  int32_t map_file;            /**< 1: map the file; 0: read it. Mapping is the one exception to the promise that the process lives:
                                    when another program truncates a mapped file, the operating system kills this one */
  int32_t skip_weight_check;   /**< 1: do not look for NaN and infinity among scales and norms while loading; 0: do */
  int32_t vision;              /**< 1: load the vision tower too, where the checkpoint has one or one mmproj*.gguf lies beside it, so that
                                    chats can hold pictures; 0: text only */
  int32_t pack;                /**< SCOUT_PACK_*. A side-file is mapped: as with map_file, the process ends when another program truncates
                                    it, and its answers are no longer the file's when another program writes into it */
  const char *pack_path;       /**< the side-file; NULL = the path of the GGUF file with ".pack" behind it */
  const char *placement;       /**< what lies on which device, where `device` alone is not to decide; NULL = by default. Items UNIT=DEVICE
                                    with semicolons between, later ones before earlier ones: "experts=cpu", "layers 0-23=cuda:0; layers
                                    24-47=cuda:1; head=cuda:1". A unit is all, embedding, head, vision, layers, or one part of layers:
                                    attention (with keys and values), feed (the dense block, or the router and the shared expert), experts
                                    (the routed ones; "experts[0-3]" those of each layer). Behind layers and parts stands a range of layers,
                                    without which all are meant. What no item names lies on the first device of `device`. It is kept to, or
                                    refused with a sentence: nothing goes elsewhere. Answers do not depend on it as long as the devices
                                    agree bit for bit, which "cpu", "ref" and the GPUs do unless numerics is FAST. Not with pack */
} scout_load_options;

/** Fills in the defaults.
 * @param struct_size  sizeof(scout_load_options) as the caller knows it
 * @return SCOUT_OK, SCOUT_ERR_ARGUMENT
 * @threads any
 * @since 0.1 */
SCOUT_API scout_status scout_load_options_init(scout_load_options *options, uint64_t struct_size);

/** Loads a model and returns when it is ready.
 * @param path  a GGUF file (any part of a split one), a Hugging Face directory, or the name of a model that comes with libscout
 *   ("scout-tiny"), looked for in the folders of the environment variable SCOUT_MODELS and in share/scout/models of the installation,
 *   or "ollama:NAME" for a model of the local Ollama store
 * @param options  NULL = the defaults
 * @param[out] model  to be freed with scout_free; NULL after a failure
 * @return SCOUT_OK, or _ARGUMENT, _FORMAT, _TRUNCATED, _LIMIT, _UNSUPPORTED, _CORRUPT, _IO, _NO_MEMORY, _DENIED, _DEVICE,
 *   _STATE (after fork; a packed side-file that was made from another file)
 * @threads any
 * @since 0.1 */
SCOUT_API scout_status scout_load(const char *path, const scout_load_options *options, scout_model **model);

/** Starts loading on a thread of its own and returns at once. Errors in the arguments are returned here, those of the file by
 * scout_operation_wait.
 * @param options  NULL = the defaults
 * @param[out] operation  to be freed with scout_operation_free
 * @return SCOUT_OK, _ARGUMENT, _UNSUPPORTED, _STATE, _NO_MEMORY
 * @threads any
 * @since 0.1 */
SCOUT_API scout_status scout_load_start(const char *path, const scout_load_options *options, scout_operation **operation);

/** Waits for a load to end.
 * @param timeout_ms  0 asks only, SCOUT_WAIT waits for ever
 * @param[out] model  to be freed with scout_free; the model when SCOUT_OK is returned, for the first wait that returns it; later ones get
 *   SCOUT_ERR_STATE
 * @return SCOUT_OK; SCOUT_AGAIN while it is not ready; SCOUT_ERR_CANCELLED; any failure of scout_load
 * @threads one at a time for an operation
 * @since 0.1 */
SCOUT_API scout_status scout_operation_wait(scout_operation *operation, int64_t timeout_ms, scout_model **model);

/** How far the load is: bytes of weights done and in all (0 while the headers are read).
 * @param[out] done_bytes  may be NULL
 * @param[out] total_bytes  may be NULL
 * @return SCOUT_OK, _ARGUMENT, _STATE
 * @threads any
 * @since 0.1 */
SCOUT_API scout_status scout_operation_progress(const scout_operation *operation, uint64_t *done_bytes, uint64_t *total_bytes);

/** Asks the load to end; it does after the read that is under way.
 * @return SCOUT_OK, _ARGUMENT, _STATE
 * @threads any
 * @since 0.1 */
SCOUT_API scout_status scout_operation_cancel(scout_operation *operation);

/** A descriptor for poll or epoll that is readable once scout_operation_wait has an answer; owned by the operation, only to be polled.
 * Made on the first call. -1 where the system has none.
 * @threads any
 * @since 0.1 */
SCOUT_API int32_t scout_operation_descriptor(const scout_operation *operation);

/** Cancels, waits for the read that is under way, and frees.
 * @threads one, after everyone else's last call
 * @since 0.1 */
SCOUT_API void scout_operation_free(scout_operation *operation);

/** Drops the caller's hold on a model. Its memory goes when the last engine and request that use it have gone.
 * @threads any
 * @since 0.1 */
SCOUT_API void scout_free(scout_model *model);

/** What a model is. */
typedef struct scout_model_info {
  uint32_t struct_size; /**< set by the caller */
  int32_t layers;
  const char *architecture; /**< "llama4"; borrowed while the model lives */
  const char *name;         /**< as the file says, may be ""; borrowed while the model lives */
  const char *version;      /**< as the file says, may be ""; borrowed while the model lives */
  const char *device;       /**< what it runs on, several with commas between; borrowed while the model lives */
  const char *rope_scaling; /**< in words; borrowed while the model lives */
  int64_t embedding;        /**< width of a row */
  int64_t heads, kv_heads, head_dim;
  int64_t vocabulary;       /**< rows of the embedding; ids are below this */
  int64_t tokenizer_size;   /**< entries of the tokenizer, 0 without one */
  int64_t dense_hidden, expert_hidden;
  int64_t experts, experts_used;
  int64_t moe_layers;       /**< layers with experts */
  int64_t global_layers;    /**< layers that attend to everything */
  int64_t attention_chunk;  /**< positions, 0 = none */
  int64_t context;          /**< positions the model was made for */
  double rope_base;
  double norm_eps;
  double temperature_length, temperature_scale; /**< of the global layers' query scaling; length 0 = off */
  int32_t qk_norm;                              /**< 1: keys and queries are normalised; 0: not */
  int32_t tied_head;                            /**< 1: the head is the embedding; 0: a tensor of its own */
  uint64_t parameters;                          /**< of the text model */
  uint64_t file_bytes;                          /**< of all its files */
  uint64_t weight_bytes;                        /**< resident */
  uint64_t kv_bytes_per_position_global;        /**< of context, in the default format, for the layers that keep everything */
  uint64_t kv_bytes_per_position_local;         /**< the same for chunked layers; at most attention_chunk positions are kept */
  int32_t kv_format;                            /**< SCOUT_KV_* of engines that do not say */
  int32_t has_chat;                             /**< 1: the tokenizer has what scout_chat needs; 0: not */
  const char *placement;                        /**< what lies on which device, as scout_load_options.placement would say it; borrowed
                                                     while the model lives */
  uint64_t device_count;                        /**< of devices that hold something of it: see scout_model_get_device */
} scout_model_info;

/** Describes a model.
 * @param[out] info  struct_size set by the caller; members past it are not written
 * @return SCOUT_OK, SCOUT_ERR_ARGUMENT
 * @threads any
 * @since 0.1 */
SCOUT_API scout_status scout_model_get_info(const scout_model *model, scout_model_info *info);

/** A device that holds a part of a model. */
typedef struct scout_model_device {
  uint32_t struct_size; /**< set by the caller */
  uint32_t reserved;
  const char *name;        /**< as in scout_load_options.device; borrowed while the model lives */
  const char *description; /**< as in scout_device_info; borrowed while the model lives */
  uint64_t weight_bytes;   /**< of the model, resident there */
} scout_model_device;

/** Describes device `index` of those that hold a part of the model; there are scout_model_info.device_count.
 * @param[out] info  struct_size set by the caller; members past it are not written
 * @return SCOUT_OK; SCOUT_ERR_ARGUMENT for an index that is not there; _STATE
 * @threads any
 * @since 0.1 */
SCOUT_API scout_status scout_model_get_device(const scout_model *model, uint64_t index, scout_model_device *info);

/** What layer `layer` is.
 * @param[out] moe  1: experts; 0: dense; may be NULL
 * @param[out] rope  1: rotated; 0: position-free; may be NULL
 * @param[out] chunked  1: attends inside its chunk; 0: to everything; may be NULL
 * @return SCOUT_OK; SCOUT_ERR_ARGUMENT for a layer that is not there; _STATE
 * @threads any
 * @since 0.1 */
SCOUT_API scout_status scout_model_get_layer(const scout_model *model, int32_t layer, int32_t *moe, int32_t *rope, int32_t *chunked);

/** What a tensor of the model's files is. */
typedef struct scout_tensor_info {
  uint32_t struct_size; /**< set by the caller */
  int32_t rank;         /**< 0 .. 4 */
  const char *name;     /**< as the file has it; borrowed while the model lives */
  const char *format;   /**< "Q4_K"; borrowed while the model lives */
  int64_t shape[4];     /**< the last of rank is the fastest */
  uint64_t bytes;       /**< in the file */
  int32_t used;         /**< 1: needed by the text model; 0: not (vision, projector) */
  int32_t reserved;
} scout_tensor_info;

/** The number of tensors in the model's files.
 * @param[out] count  the answer
 * @return SCOUT_OK, _ARGUMENT, _STATE
 * @threads any
 * @since 0.1 */
SCOUT_API scout_status scout_model_tensor_count(const scout_model *model, uint64_t *count);

/** Describes tensor `index`, in file order.
 * @param[out] info  struct_size set by the caller; members past it are not written
 * @return SCOUT_OK, SCOUT_ERR_ARGUMENT
 * @threads any
 * @since 0.1 */
SCOUT_API scout_status scout_model_get_tensor(const scout_model *model, uint64_t index, scout_tensor_info *info);

/** Bytes of keys and values that one request of `positions` positions needs: as kv_bytes of an engine with that context and the default
 * step_rows no fewer will do. Page padding is included, and in layers that attend in chunks the room of a step that goes on into the
 * next ones.
 * @param kv_format  SCOUT_KV_*; 0 = as the model was loaded
 * @param[out] bytes  the answer
 * @return SCOUT_OK, _ARGUMENT, _STATE
 * @threads any
 * @since 0.1 */
SCOUT_API scout_status scout_model_kv_bytes(const scout_model *model, int64_t positions, int32_t kv_format, uint64_t *bytes);

SCOUT_END_DECLS

#endif /* SCOUT_MODEL_H */
