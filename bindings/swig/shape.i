/* A tensor's shape, one axis at a time: arrays inside structs differ too much between languages. */
%ignore scout_tensor_info::shape;
%extend scout_tensor_info {
  int64_t axis(int32_t index) { return index >= 0 && index < 4 && index < $self->rank ? $self->shape[index] : 0; }
}
