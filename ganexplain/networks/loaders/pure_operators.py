"""The operators that a network in a file may use: those that only compute their outputs.

All operators that are not listed are refused, including those of later versions of torch: some
open, write or map files, use the internet or other processes, change the state of the process, or
read memory without a check of its bounds.
"""

from __future__ import annotations

from pathlib import Path

from ganexplain.errors import GanexplainError

ELEMENTWISE = """
abs absolute acos acosh add addcdiv addcmul alias angle arccos arccosh arcsin arcsinh arctan
arctan2 arctanh asin asinh atan atan2 atanh bitwise_and bitwise_left_shift bitwise_not bitwise_or
bitwise_right_shift bitwise_xor ceil celu clamp clamp_max clamp_min clip clone complex conj
conj_physical contiguous copy copysign cos cosh deg2rad detach digamma div divide elu eq erf erfc
erfinv exp exp2 expm1 fill fix float_power floor floor_divide fmax fmin fmod frac frexp gcd ge gelu
glu greater greater_equal gt hardshrink hardsigmoid hardswish hardtanh heaviside hypot i0 igamma
igammac imag isclose isfinite isinf isnan isneginf isposinf isreal lcm ldexp le leaky_relu lerp less
less_equal lgamma lift lift_fresh log log10 log1p log2 log_sigmoid logaddexp logaddexp2 logical_and
logical_not logical_or logical_xor logit lt masked_fill maximum minimum mish mul multiply mvlgamma
nan_to_num ne neg negative nextafter not_equal polar polygamma positive pow prelu _prelu_kernel
rad2deg real reciprocal relu relu6 remainder resolve_conj resolve_neg round rrelu rsqrt rsub selu
sgn sigmoid sign signbit silu sin sinc sinh softplus softshrink sqrt square sub subtract tan tanh
threshold true_divide trunc where xlogy zero __and__ __iand__ __ilshift__ __ior__ __irshift__
__ixor__ __lshift__ __or__ __rshift__ __xor__ special_digamma special_entr special_erf special_erfc
special_erfcx special_erfinv special_exp2 special_expit special_expm1 special_gammaln special_i0
special_i0e special_i1 special_i1e special_log1p special_log_ndtr special_log_softmax special_logit
special_logsumexp special_ndtr special_ndtri special_round special_sinc special_softmax
special_xlog1py special_xlogy special_bessel_j0 special_bessel_j1 special_zeta lift_fresh_copy
"""
REDUCTIONS = """
all allclose amax amin aminmax any argmax argmin argsort argwhere bincount bucketize cdist
_cdist_forward corrcoef cosine_similarity count_nonzero cov cummax cummin cumprod cumsum
cumulative_trapezoid diff dist equal frobenius_norm gradient histc histogram is_nonzero isin
kthvalue logcumsumexp logsumexp max mean median min mode msort nanmean nanmedian nanquantile nansum
nonzero nonzero_numpy norm norm_except_dim nuclear_norm pairwise_distance pdist prod quantile
renorm searchsorted softmax _softmax log_softmax _log_softmax _safe_softmax _masked_softmax sort
std std_mean sum sum_to_size topk trace trapezoid trapz unique_consecutive unique_dim _unique
_unique2 var var_mean is_same_size
"""
SHAPES = """
as_strided atleast_1d atleast_2d atleast_3d block_diag broadcast_tensors broadcast_to cartesian_prod
cat channel_shuffle native_channel_shuffle chunk column_stack combinations concat concatenate
constant_pad_nd diag diag_embed diagflat diagonal diagonal_scatter dsplit dstack expand expand_as
fill_diagonal_ flatten flip fliplr flipud gather hsplit hstack im2col col2im index index_add
index_copy index_fill index_put index_reduce index_select masked_scatter masked_select meshgrid
moveaxis movedim narrow narrow_copy numpy_T mT mH matrix_H adjoint pad _pad_circular _pad_enum
pad_sequence permute pixel_shuffle pixel_unshuffle put ravel reflection_pad1d reflection_pad2d
reflection_pad3d repeat repeat_interleave replication_pad1d replication_pad2d replication_pad3d
reshape reshape_as roll rot90 row_stack scatter scatter_add scatter_reduce select select_scatter
slice slice_scatter split split_with_sizes squeeze stack _stack swapaxes swapdims t take
take_along_dim tensor_split tile transpose tril triu unbind unflatten unfold unsafe_chunk
unsafe_split unsafe_split_with_sizes _unsafe_view unsqueeze view view_as view_as_complex
view_as_real vsplit vstack flatten_dense_tensors
"""
PRODUCTS = """
addbmm addmm _addmm_activation addmv addr baddbmm bilinear bmm chain_matmul cholesky
cholesky_inverse cholesky_solve cross det dot einsum ger inner inverse kron linear linalg_cholesky
linalg_cross linalg_det linalg_diagonal linalg_eigh linalg_eigvalsh linalg_inv linalg_inv_ex
linalg_matmul linalg_matrix_norm linalg_matrix_power linalg_multi_dot linalg_norm linalg_pinv
linalg_qr linalg_slogdet linalg_solve linalg_solve_triangular linalg_svd linalg_svdvals svd
linalg_vecdot linalg_vector_norm logdet matmul matrix_exp matrix_power mm mv outer pinverse slogdet
tensordot _trilinear vander vdot scaled_dot_product_attention
_scaled_dot_product_attention_math _scaled_dot_product_flash_attention_for_cpu _euclidean_dist
_transformer_encoder_layer_fwd _native_multi_head_attention _transform_bias_rescale_qkv
"""
LAYERS = """
adaptive_avg_pool1d adaptive_avg_pool2d _adaptive_avg_pool2d adaptive_avg_pool3d
_adaptive_avg_pool3d adaptive_max_pool1d adaptive_max_pool2d adaptive_max_pool3d
affine_grid_generator avg_pool1d avg_pool2d avg_pool3d batch_norm _batch_norm_impl_index
native_batch_norm
_native_batch_norm_legit _native_batch_norm_legit_functional _native_batch_norm_legit_no_training
_batch_norm_no_update _batch_norm_with_update conv1d conv2d conv3d conv_tbc conv_transpose1d
conv_transpose2d conv_transpose3d _convolution _convolution_mode convolution
embedding fractional_max_pool2d grid_sampler grid_sampler_2d grid_sampler_3d group_norm
native_group_norm gru gru_cell instance_norm layer_norm native_layer_norm lstm lstm_cell max_pool1d
max_pool1d_with_indices max_pool2d max_pool2d_with_indices max_pool3d max_pool3d_with_indices
max_unpool2d max_unpool3d rms_norm _fused_rms_norm rnn_relu rnn_relu_cell rnn_tanh rnn_tanh_cell
slow_conv3d thnn_conv2d _conv_depthwise2d conv_depthwise3d slow_conv_dilated2d
_pack_padded_sequence _pad_packed_sequence upsample_bicubic2d _upsample_bicubic2d_aa
upsample_bilinear2d _upsample_bilinear2d_aa upsample_linear1d upsample_nearest1d upsample_nearest2d
upsample_nearest3d _upsample_nearest_exact1d _upsample_nearest_exact2d _upsample_nearest_exact3d
upsample_trilinear3d __interpolate __upsample __upsample_bilinear __upsample_nearest
_weight_norm _weight_norm_interface one_hot
mse_loss l1_loss smooth_l1_loss huber_loss kl_div binary_cross_entropy
binary_cross_entropy_with_logits cross_entropy_loss
alpha_dropout dropout native_dropout feature_alpha_dropout feature_dropout
"""
SPECTRA = """
stft istft fft_fft fft_fft2 fft_fftfreq fft_fftn fft_fftshift fft_hfft fft_ifft fft_ifft2 fft_ifftn
fft_ifftshift fft_ihfft fft_irfft fft_irfft2 fft_irfftn fft_rfft fft_rfft2 fft_rfftfreq fft_rfftn
bartlett_window blackman_window hamming_window hann_window kaiser_window
"""
MAKERS = """
arange as_tensor empty empty_like empty_permuted empty_strided eye full full_like linspace logspace
new_empty new_empty_strided new_full new_ones new_zeros ones ones_like range scalar_tensor tensor
tril_indices triu_indices zeros zeros_like _shape_as_tensor _dim_arange _list_to_tensor
bernoulli multinomial normal normal_functional poisson rand rand_like randint randint_like randn
randn_like random randperm uniform exponential cauchy geometric log_normal
_no_grad_fill_ _no_grad_normal_ _no_grad_uniform_ _no_grad_zero_
"""
TENSORS = """
_cast_Byte _cast_Char _cast_Double _cast_Float _cast_Half _cast_Int _cast_Long _cast_Short
_to_copy _to_cpu to to_dense type_as cpu cuda can_cast promote_types result_type
dim element_size numel size stride storage_offset item _local_scalar_dense get_device is_complex
is_contiguous is_floating_point is_signed is_conj is_neg is_leaf is_inference is_set_to is_pinned
is_non_overlapping_and_dense is_strides_like_format is_distributed coalesce is_coalesced indices
values sparse_dim dense_dim sym_size sym_stride sym_numel sym_storage_offset
sym_is_contiguous _tensor_to_list data device grad requires_grad requires_grad_ set_grad_enabled
is_grad_enabled is_scripting has_torch_function is_autocast_enabled is_autocast_cpu_enabled
get_autocast_dtype _get_tracing_state output_nr _version retains_grad Size
_assert_async _assert_scalar _assert_tensor_metadata _functional_assert_async
_functional_assert_scalar sym_constrain_range sym_constrain_range_for_size
quantize_per_tensor quantize_per_channel quantize_per_tensor_dynamic dequantize int_repr q_scale
q_zero_point q_per_channel_scales q_per_channel_zero_points q_per_channel_axis qscheme
fake_quantize_per_tensor_affine fake_quantize_per_channel_affine _choose_qparams_per_tensor
quantized_lstm quantized_gru
quantized_lstm_cell quantized_gru_cell
"""
PYTHON = """
Bool Complex ComplexImplicit Delete Float FloatImplicit Int IntImplicit ScalarImplicit __contains__
__derive_index __getitem__ __is__ __isnot__ __not__ __range_length __round_to_zero_floordiv
_infer_size _set_item _size_if_not_equal _grad_sum_to_size _unwrap_optional _ncf_unsqueeze _ncf_view
append bin broadcast_shapes capitalize center chr clear count degrees dict divmod endswith
expandtabs extend fabs factorial find floordiv format gamma get hash hex index insert isalnum
isalpha isdecimal isdigit isidentifier islower isnumeric isprintable isspace istitle isupper items
join keys len list ljust lower lstrip mathremainder modf oct ord partition percentFormat pop popitem
radians remove replace reverse rfind rindex rjust rpartition rsplit rstrip setdefault sorted
splitlines startswith str strip swapcase title update upper warn zfill
Generator seed initial_seed wait
"""
CONTROL = """
AutogradZero Constant ConstantChunk CallFunction CallMethod CreateObject DictConstruct Enter
EnumName EnumValue Exit GetAttr HasAttr If ImplicitTensorToNum ListConstruct ListUnpack Loop
ModuleContainerIndex NumToTensor Print RaiseException SetAttr StringIndex TupleConstruct TupleIndex
TupleSlice TupleUnpack Uninitialized abs data device dtype grad index is_cpu is_cuda is_ipu is_maia
is_meta is_mkldnn is_mps is_mtia is_nested is_quantized is_sparse is_sparse_csr is_vulkan is_xla
is_xpu isinstance itemsize layout max min name nbytes rangelist requires_grad tolist type
unchecked_cast unchecked_unwrap_optional
"""
QUANTIZED = """
add add_relu add_scalar add_scalar_relu batch_norm batch_norm1d batch_norm1d_relu batch_norm2d
batch_norm2d_relu batch_norm_relu cat cat_relu celu clamp conv1d conv1d_dynamic conv1d_prepack
conv1d_relu conv1d_unpack conv2d conv2d_dilation conv2d_dynamic conv2d_groups conv2d_output_padding
conv2d_padding conv2d_prepack conv2d_relu conv2d_stride conv2d_transpose conv2d_unpack
conv2d_unpack_sizes conv_prepack conv_unpack conv_transpose1d conv_transpose1d_prepack
conv_transpose1d_unpack conv_transpose2d conv_transpose2d_prepack conv_transpose2d_unpack dropout
elu group_norm hardswish instance_norm layer_norm leaky_relu linear linear_dynamic
linear_dynamic_fp16 linear_leaky_relu linear_prepack linear_prepack_fp16 linear_relu
linear_relu_dynamic linear_relu_dynamic_fp16 linear_tanh linear_unpack linear_unpack_fp16
make_quantized_cell_params make_quantized_cell_params_dynamic make_quantized_cell_params_fp16 matmul
max_pool1d max_pool2d mul mul_relu mul_scalar mul_scalar_relu prelu quantized_gru_cell_dynamic
quantized_lstm_cell_dynamic quantized_rnn_relu_cell_dynamic quantized_rnn_tanh_cell_dynamic relu6
sigmoid softmax threshold
"""
_ATEN = (ELEMENTWISE, REDUCTIONS, SHAPES, PRODUCTS, LAYERS, SPECTRA, MAKERS, TENSORS, PYTHON)
ALLOWED = {
    "aten": frozenset(" ".join(_ATEN).split()),
    "prim": frozenset(CONTROL.split()),
    "quantized": frozenset(QUANTIZED.split()),
}


def is_pure(name: str) -> bool:
    """Whether an operator `namespace::name` has no side effects; in-place forms (`add_`) count."""
    space, _, base = name.partition("::")
    allowed = ALLOWED.get(space, frozenset())
    return base in allowed or (base.endswith("_") and base[:-1] in allowed)


def impure(path: Path, name: str) -> GanexplainError:
    """The error for a network in a file that uses `name`, which may have side effects."""
    return GanexplainError(
        f"--model {path}: uses {name[:100]}, which is not among what is known to do nothing but "
        "compute; export the network without it, or, if you trust its maker, name the code that "
        "makes it (--model file.py:NAME)"
    )
